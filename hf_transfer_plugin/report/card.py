"""A report as the README.md of a model on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import markdown
from hf_transfer_plugin.report.adapter_words import (
    adapter_sentences,
    adapter_snippet,
    is_kept_alone,
)
from hf_transfer_plugin.report.alarms import alarm_sentences
from hf_transfer_plugin.report.canvas import Chart
from hf_transfer_plugin.report.cost_rows import cost_cells, energy_sentence
from hf_transfer_plugin.report.domain_words import tested_words
from hf_transfer_plugin.report.drift_rows import drift_cells, drift_sentences
from hf_transfer_plugin.report.evidence import class_rows, kept_seed, spread
from hf_transfer_plugin.report.harm_rows import harmed_classes, hidden_cells, hidden_sentence
from hf_transfer_plugin.report.metadata import card_metadata
from hf_transfer_plugin.report.names import display_name, one_line
from hf_transfer_plugin.report.page import templates
from hf_transfer_plugin.report.pretraining_words import checkpoint_words
from hf_transfer_plugin.report.proposal_words import card_sentences
from hf_transfer_plugin.report.public import public_report
from hf_transfer_plugin.report.ranking_words import ranking_sentence
from hf_transfer_plugin.report.rescue_rows import rescue_cells, rescue_sentence
from hf_transfer_plugin.report.rows import (
    data_cells,
    how_sentences,
    result_cells,
)
from hf_transfer_plugin.report.settling_words import basis_words
from hf_transfer_plugin.report.static_words import is_static, static_limit, static_snippet
from hf_transfer_plugin.report.use_words import (
    CLOSED_CLASSES,
    SHOWN_CLASSES,
    pipeline_snippet,
    use_words,
)
from hf_transfer_plugin.report.words import (
    go_words,
    interval_words,
    metric_name,
    percent,
    points,
    seed_words,
    verdict_sentence,
)

__all__ = ["model_card"]


def model_card(
    report: Report,
    charts: Mapping[str, Chart],
    model_url: str | None = None,
    *,
    examples: bool = False,
) -> str:
    """Return the card: front matter and Markdown, without tokens or local paths.

    Args:
        report: what the run gave.
        charts: as from `draw_charts`; linked as `plots/NAME.png`.
        model_url: where the model is, or will be, on the Hub.
        examples: show texts of test examples that transfer loses.
    """
    report = public_report(report, examples=examples)
    repository = _repository(model_url)
    verdict, transfer = report.verdict, report.transfer
    data = data_cells(report.data)
    body = (
        templates()
        .get_template("card.md.j2")
        .render(
            md=markdown.escape,
            table=markdown.table,
            fenced=markdown.fenced,
            title=report.title,
            first=_first_sentence(report),
            go=go_words(verdict),
            what=ranking_sentence(report),
            results=result_cells(report),
            published=_published(report),
            basis=basis_words(verdict),
            hidden=hidden_sentence(report),
            hidden_table=hidden_cells(report),
            harmed_table=harmed_classes(report),
            alarms=alarm_sentences(report),
            rescue=rescue_sentence(report),
            rescue_table=rescue_cells(report),
            use=use_words(report.task, transfer.class_names),
            limits=_limits(report),
            data_name=display_name(report.data.path),
            data_table=data if len(data.rows) <= SHOWN_CLASSES + 1 else None,
            data_totals=dict(zip(data.head[1:], data.rows[-1][1:], strict=True)),
            warnings=report.data.warnings,
            how=how_sentences(report),
            proposal=card_sentences(report.proposal),
            adapter=adapter_sentences(report),
            drift=drift_sentences(report),
            drift_table=drift_cells(report),
            cost_table=cost_cells(report),
            energy=energy_sentence(report),
            snippet=_snippet(report, repository),
            charts=charts,
            command=report.command,
            environment=report.environment,
            created=report.created,
            data_license=report.licenses.get("data"),
            checkpoint=checkpoint_words(report),
        )
    )
    return f"---\n{card_metadata(report, repository).to_yaml()}\n---\n\n{body}"


def _repository(model_url: str | None) -> str | None:
    """Return "owner/name" of an address on the Hub."""
    parts = urlsplit(model_url or "").path.strip("/").split("/")
    return "/".join(parts[:2]) if len(parts) >= 2 else None


def _first_sentence(report: Report) -> str:
    verdict = report.verdict
    if verdict.outcome != "harmed":
        return verdict_sentence(verdict)
    return (
        f"The transfer harmed: the control “{one_line(verdict.baseline)}” is better than this "
        f"model and should be used instead. Transfer minus control is {points(verdict.difference)} "
        f"points of {metric_name(verdict.metric)} ({interval_words(verdict)}; "
        f"{seed_words(verdict.seeds)})."
    )


def _published(report: Report) -> str:
    """Return the mean over seeds with its interval, and the value of the published weights."""
    transfer, metric = report.transfer, report.verdict.metric
    over = spread(transfer.scores(), report.verdict.confidence)
    text = f"Test {metric_name(metric)} of transfer is {percent(over.mean)} on average"
    if over.count > 1:
        level = f"{100 * report.verdict.confidence:g}% interval"
        text += f" over {over.count} seeds ({level} {percent(over.lower)} to {percent(over.upper)})"
    kept = kept_seed(transfer)
    own = percent(kept.test[transfer.plan.metric])
    return (
        f"{text}. The weights published here are those of seed {kept.seed}, chosen by validation; "
        f"their own test {metric_name(metric)} is {own}, which is the figure in the metadata."
    )


def _limits(report: Report) -> list[str]:
    """Return what a user must know before relying on the model."""
    kept = kept_seed(report.transfer)
    limits = [
        CLOSED_CLASSES,
        tested_words(report),
    ]
    if is_static(report):
        limits.insert(0, static_limit())
    known = [row for row in class_rows(report) if row.support and row.transfer == row.transfer]
    if known:
        weak = min(known, key=lambda row: row.transfer)
        limits.append(
            f"The weakest class is “{one_line(weak.name)}”, of which it finds "
            f"{percent(weak.transfer)} ({weak.support} test examples)."
        )
    harmed = [f"“{one_line(row.name)}”" for row in known if row.harmed]
    if harmed:
        shown = ", ".join(harmed[:SHOWN_CLASSES])
        limits.append(f"Classes on which the control finds more: {shown}.")
    if kept.confidences and "accuracy" in kept.test:
        sure = sum(kept.confidences) / len(kept.confidences)
        limits.append(
            f"Its probabilities were not calibrated: their mean is {percent(sure)}, while "
            f"{percent(kept.test['accuracy'])} of the answers are right."
        )
    return limits


def _snippet(report: Report, repository: str | None) -> str:
    if is_kept_alone(report):
        return adapter_snippet(report, repository)
    if is_static(report):
        return static_snippet(report, repository)
    note = "" if repository else "the folder beside this file, or its name on the Hub"
    return pipeline_snippet(report.task, repository or "model", note)
