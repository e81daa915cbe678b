"""The tables of page and card, as rows of plain text."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hf_transfer_plugin.records import DataSummary, Report, RunResult
from hf_transfer_plugin.report.average_words import average_sentences
from hf_transfer_plugin.report.domain_words import domain_sentences
from hf_transfer_plugin.report.evidence import (
    kept_seed,
    spread,
    verdict_against,
)
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.pretraining_words import pretraining_sentences
from hf_transfer_plugin.report.words import (
    bounds_words,
    interval_name,
    metric_name,
    number,
    percent,
    points,
    schedule_words,
)

__all__ = [
    "Cells",
    "data_cells",
    "how_sentences",
    "mean_words",
    "result_cells",
    "seed_cells",
]

Rows = list[tuple[str, ...]]
_PERMUTED = (
    "“permuted-source” is the transfer once more, from the same architecture after training from "
    "random weights on the source data with their labels permuted: what the inputs of the source "
    "give without what the source taught."
)


@dataclass(frozen=True)
class Cells:
    """A table: the first column names the row, the others hold figures.

    Attributes:
        caption: what the table shows.
        head: column names.
        rows: cells, as many as column names.
        marked: indices of rows to stand out.
        text_columns: indices of columns of words, which are set flush left.
    """

    caption: str
    head: tuple[str, ...]
    rows: Rows
    marked: tuple[int, ...] = ()
    text_columns: tuple[int, ...] = ()


def mean_words(result: RunResult, confidence: float) -> str:
    """Return the judged test metric over seeds, such as "90.1% ± 0.4"."""
    over = spread(result.scores(), confidence)
    return percent(over.mean) + (f" ± {100 * over.sd:.1f}" if math.isfinite(over.sd) else "")


def result_cells(report: Report) -> Cells:
    """Return transfer and every control: test metric, difference with interval, outcome."""
    verdict = report.verdict
    rows: Rows = []
    for result in report.results:
        name = one_line(result.plan.name)
        mean = mean_words(result, verdict.confidence)
        seconds = number(sum(seed.wall_seconds for seed in result.seeds), 1)
        against = verdict_against(report, result.plan.name)
        if result is report.transfer or against is None:
            rows.append((name, mean, "", "", "", seconds))
            continue
        if result.plan.name == verdict.baseline:
            name += " (primary control)"
        bounds = bounds_words(against)
        rows.append((name, mean, points(against.difference), bounds, against.outcome, seconds))
    metric = f"Test {metric_name(verdict.metric)}, mean ± sd"
    caption = (
        "Transfer and every control over the seeds. Differences are transfer − control, in points."
    )
    if any(result.plan.name == "permuted-source" for result in report.controls):
        caption += f" {_PERMUTED}"
    return Cells(
        caption,
        ("Plan", metric, "Difference", interval_name(verdict), "Outcome", "Seconds"),
        rows,
        marked=tuple(index for index, row in enumerate(rows) if row[4] == "harmed"),
        text_columns=(4,),
    )


def data_cells(data: DataSummary) -> Cells:
    """Return the number of examples of each class in each split."""
    rows: Rows = [
        (
            one_line(name),
            *(
                str(counts[index]) if index < len(counts) else "–"
                for counts in data.counts.values()
            ),
        )
        for index, name in enumerate(data.class_names)
    ]
    rows.append(("all classes", *(str(sum(counts)) for counts in data.counts.values())))
    return Cells("Examples of each class and split.", ("Class", *data.counts), rows)


def seed_cells(report: Report) -> Cells:
    """Return one row for each training run; with an average, which weights were chosen."""
    rows: Rows = []
    metric = report.verdict.metric
    averaged = any(seed.weights for result in report.results for seed in result.seeds)
    for result in report.results:
        for seed in result.seeds:
            rows.append(
                (
                    one_line(result.plan.name),
                    str(seed.seed),
                    f"{seed.learning_rate:g}" if seed.learning_rate else "–",
                    str(seed.steps) if seed.steps else "–",
                    percent(seed.validation.get(metric, math.nan)),
                    percent(seed.test.get(metric, math.nan)),
                    number(seed.wall_seconds, 1),
                    *((seed.weights.chosen if seed.weights else "–",) if averaged else ()),
                )
            )
    head = ("Plan", "Seed", "Learning rate", "Steps", "Validation", "Test", "Seconds")
    return Cells(
        f"Every run; validation and test are {metric_name(metric)}.",
        (*head, "Weights") if averaged else head,
        rows,
        text_columns=(len(head),) if averaged else (),
    )


def how_sentences(report: Report) -> list[str]:
    """Return HOW in plain words.

    They are of schedule, objective, data, pretraining, average, share of weights and rate.
    """
    transfer = report.transfer
    sentences = schedule_words(transfer.plan.schedule)
    if transfer.plan.adapter is not None:
        name = one_line(transfer.plan.adapter.name)
        sentences.insert(0, f"An adapter ({name}) is put on the network; layers mean its parts.")
    if transfer.plan.objective is not None:
        objective = transfer.plan.objective
        sentences.append(
            f"The loss has a term beside that of the task, {objective.described}: "
            f"{objective.kind.holds}."
        )
    if transfer.plan.data.augment is not None:
        sentences.append(f"Training images are augmented: {transfer.plan.data.augment.described}.")
    sentences += [*pretraining_sentences(report), *domain_sentences(report)]
    sentences += average_sentences(report)
    if transfer.parameters:
        share = transfer.trainable_parameters / transfer.parameters
        sentences.append(
            f"In the last phase {percent(share)} of the weights train "
            f"({transfer.trainable_parameters:,} of {transfer.parameters:,})."
        )
    kept = kept_seed(transfer)
    tuned = f", chosen from {len(transfer.grid)} on validation" if len(transfer.grid) > 1 else ""
    sentences.append(f"Peak learning rate {kept.learning_rate:g}{tuned}.")
    return sentences
