"""Two domains in words: whose labels trained, what weighed and chose, and where one harmed."""

from __future__ import annotations

from hf_transfer_plugin.records import Report, Verdict
from hf_transfer_plugin.report.evidence import verdict_against
from hf_transfer_plugin.report.names import display_name
from hf_transfer_plugin.report.words import interval_words, points

__all__ = ["domain_sentences", "tested_words"]


def domain_sentences(report: Report) -> list[str]:
    """Return labels, choice and harm; empty for a transfer within one domain."""
    return [*_labels(report), *_weights(report), *_choice(report), *_harm(report)]


def tested_words(report: Report) -> str:
    """Return how far the test says something of other rows, in one sentence."""
    count, plan = len(report.transfer.labels), report.transfer.plan
    if plan.labels == "target" or plan.source is None:
        return (
            f"It was tested on {count} examples like those it was trained on; elsewhere it may do "
            "worse."
        )
    return (
        f"It was tested on {count} examples of the target ({display_name(plan.data.path)}); in "
        "another domain it may do worse."
    )


def _labels(report: Report) -> list[str]:
    plan = report.transfer.plan
    if plan.labels == "target" or plan.source is None:
        return []
    source, target = display_name(plan.source.path), display_name(plan.data.path)
    if plan.labels == "both":
        return [f"It learned from labels of the source ({source}) and of the target ({target})."]
    rows = ", whose rows train without their labels" if plan.pairs_domains else ""
    if plan.adapt_batch_norm:
        rows += ", whose rows gave the batch norms their statistics"
    return [
        f"It learned from labels of the source ({source}) alone. Of the target ({target}){rows}, "
        "the labels of test were read, for the figures above, and no others."
    ]


def _weights(report: Report) -> list[str]:
    weights, found = report.transfer.plan.source_weights, report.transfer.weighed
    if weights is None or found is None:
        return []
    return [
        "Rows of the source came as often as they look like those of the target, by "
        f"{weights.described}: {found.rows:,} rows count as {found.effective:,.0f}."
    ]


def _choice(report: Report) -> list[str]:
    transfer = report.transfer
    found = transfer.plan.criterion
    if found is None:
        return []
    paper = f" ({found.paper})" if found.paper else ""
    end = "high" if found.greater else "low"
    kept = ", ".join(
        f"seed {each.seed} step {each.kept_step} of {each.steps}"
        for each in transfer.seeds
        if each.kept_step is not None
    )
    words = f"{found.reads}{paper}; {end} is good"
    return [
        f"Weights and learning rate were chosen by {transfer.plan.choose_by} validation: {words}. "
        f"Kept: {kept or 'the last step, for nothing was evaluated'}."
    ]


def _harm(report: Report) -> list[str]:
    labels = report.transfer.plan.labels
    both = "Rows of both domains give more: “source-and-target”"
    if labels == "both" and report.transfer.plan.source_weights is not None:
        both = "The weights harm: “source-and-target”, whose rows count alike,"
    target = "The target's labels would give more: “target-only”"
    if labels == "both":
        target = "The source harms: “target-only”, without it,"
    told = {
        "source-only": "The target harms: “source-only”, without it,",
        "target-only": target,
        "source-and-target": both,
        "per-domain-standardised": "Training a network does not pay: “per-domain-standardised”, "
        "logistic regression on frozen features,",
    }
    found = []
    for control, words in told.items():
        verdict = verdict_against(report, control)
        if verdict is not None and verdict.outcome == "harmed":
            found.append(f"{words} is better by {_by(verdict)}.")
    return found


def _by(verdict: Verdict) -> str:
    size = points(-verdict.difference).lstrip("+")
    return f"{size} points (transfer − control: {interval_words(verdict)})"
