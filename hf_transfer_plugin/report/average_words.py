"""The average of a transfer in plain words: what validation chose, and what that was worth."""

from __future__ import annotations

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.words import metric_name, percent

__all__ = ["average_sentences"]


def average_sentences(report: Report) -> list[str]:
    """Return method, cost and the choice of each seed; empty without an average."""
    transfer = report.transfer
    average = transfer.plan.average
    if average is None:
        return []
    chosen = [(each.seed, each.weights) for each in transfer.seeds if each.weights is not None]
    told = ", ".join(
        f"seed {seed} the plain weights ({percent(weights.plain)})"
        if weights.is_plain
        else f"seed {seed} {weights.chosen} ({percent(weights.plain)} to "
        f"{percent(weights.reached)})"
        for seed, weights in chosen
    )
    sentences = [
        f"Weights are averaged, {average.described}: {average.kind.holds}. It costs {average.cost}."
    ]
    if told:
        sentences.append(
            f"Validation {metric_name(transfer.plan.metric)} chose between average and plain "
            f"weights: {told}. What is best of several here does less well on new data."
        )
    skipped = [
        one.plan.name for one in report.controls if one.parameters and one.plan.average is None
    ]
    if skipped and average.kind.needs_start:
        sentences.append(
            f"Controls without it: {', '.join(skipped)}; they have no start to go back to."
        )
    return sentences
