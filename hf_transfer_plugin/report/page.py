"""A report as one self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.adapter_words import adapter_sentences
from hf_transfer_plugin.report.alarms import alarm_sentences
from hf_transfer_plugin.report.canvas import Chart
from hf_transfer_plugin.report.cost_rows import cost_cells, energy_sentence
from hf_transfer_plugin.report.drift_rows import drift_cells, drift_sentences
from hf_transfer_plugin.report.harm_rows import (
    HIDDEN_CAPTION,
    class_cells,
    hidden_cells,
    hidden_sentence,
    shown_hidden,
)
from hf_transfer_plugin.report.names import display_name, one_line
from hf_transfer_plugin.report.pretraining_words import checkpoint_words
from hf_transfer_plugin.report.proposal_rows import shown_proposal
from hf_transfer_plugin.report.public import redacted_report
from hf_transfer_plugin.report.ranking_rows import ranking_cells
from hf_transfer_plugin.report.ranking_words import ranking_sentence
from hf_transfer_plugin.report.rescue_rows import rescue_cells, rescue_sentence
from hf_transfer_plugin.report.rows import (
    data_cells,
    how_sentences,
    mean_words,
    result_cells,
    seed_cells,
)
from hf_transfer_plugin.report.settling_words import basis_words
from hf_transfer_plugin.report.words import (
    OUTCOME_WORDS,
    go_words,
    metric_name,
    verdict_sentence,
)

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["html_page", "templates"]


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return the environment of the packaged templates; whatever is not marked is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("hf_transfer_plugin.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _address(url: str | None) -> str | None:
    # Anything else, such as javascript:, must not become a link.
    return url if url and url.startswith(("https://", "http://")) else None


def _seed_words(count: int) -> str:
    return f"mean ± sd over {count} seeds" if count > 1 else "one seed"


def _contents(report: Report) -> dict[str, str]:
    """Return the name of each place in the page -> its heading."""
    places = {
        "evidence": "Evidence",
        "hidden-harm": "Hidden harm",
        "ranking": "Ranking",
        "schedule": "Schedule",
        "proposal": "Proposal",
        "drift": "Drift",
        "data": "Data",
        "runs": "Every run",
        "cost": "Cost",
        "again": "Run it again",
    }
    lacking = {"drift"} if report.transfer.drift is None else set()
    lacking |= {"proposal"} if report.proposal is None else set()
    lacking |= {"cost"} if cost_cells(report) is None else set()
    return {place: words for place, words in places.items() if place not in lacking}


def html_page(report: Report, charts: Mapping[str, Chart], model_url: str | None = None) -> str:
    """Return the page.

    Args:
        report: what the run gave.
        charts: as from `draw_charts`.
        model_url: where the model is on the Hub; shown as a link.
    """
    report = redacted_report(report)
    verdict, transfer = report.verdict, report.transfer
    images = {
        name: "data:image/png;base64," + base64.b64encode(chart.image).decode("ascii")
        for name, chart in charts.items()
    }
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            title=one_line(report.title),
            contents=_contents(report),
            task=report.task.replace("-", " "),
            data=display_name(report.data.path),
            created=report.created,
            model_url=_address(model_url),
            checkpoint=checkpoint_words(report),
            what=ranking_sentence(report),
            findings=report.ranking.findings,
            outcome=verdict.outcome,
            outcome_title=OUTCOME_WORDS[verdict.outcome],
            when=verdict_sentence(verdict),
            go=verdict.go,
            go_sentence=go_words(verdict),
            score=f"Test {metric_name(verdict.metric)} of transfer: "
            f"{mean_words(transfer, verdict.confidence)} ({_seed_words(len(transfer.seeds))}).",
            how=how_sentences(report),
            proposal=shown_proposal(report),
            adapter=adapter_sentences(report),
            phases=len(transfer.plan.schedule),
            basis=basis_words(verdict),
            hidden=hidden_sentence(report),
            hidden_table=hidden_cells(report),
            hidden_caption=HIDDEN_CAPTION,
            shown=shown_hidden(report),
            baseline=one_line(verdict.baseline),
            alarms=alarm_sentences(report),
            rescue=rescue_sentence(report),
            rescue_table=rescue_cells(report),
            results=result_cells(report),
            classes=class_cells(report),
            ranking=ranking_cells(report),
            data_table=data_cells(report.data),
            seeds=seed_cells(report),
            drift=drift_sentences(report),
            drift_table=drift_cells(report),
            cost_table=cost_cells(report),
            energy=energy_sentence(report),
            warnings=report.data.warnings,
            fingerprint=report.data.fingerprint,
            charts=charts,
            images=images,
            explanation=report.explanation,
            environment=report.environment,
            licenses=report.licenses,
            command=report.command,
        )
    )
