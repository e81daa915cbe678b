"""The figures behind the verdict, computed from a report's records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.records import ClassVerdict, Report, RunResult, SeedResult, Verdict

__all__ = [
    "ClassRow",
    "HiddenExample",
    "Spread",
    "class_rows",
    "confusion",
    "hidden_examples",
    "kept_seed",
    "primary_control",
    "recalls",
    "spread",
    "verdict_against",
]


@dataclass(frozen=True)
class Spread:
    """A metric over seeds.

    Attributes:
        mean, sd: over seeds; `sd` is NaN for a single seed.
        lower, upper: t-interval of the mean; NaN for a single seed.
        count: number of seeds.
    """

    mean: float
    sd: float
    lower: float
    upper: float
    count: int


@dataclass(frozen=True)
class ClassRow:
    """Recall of one class, mean over seeds.

    Attributes:
        support: test examples of the class.
        transfer, control: recall in [0, 1], NaN without test examples or predictions.
        judged: the verdict on this class, where there is one.
        harmed: judged so; or not judged, and transfer's recall is below the control's by more
            than the margin.
    """

    name: str
    support: int
    transfer: float
    control: float
    judged: ClassVerdict | None
    harmed: bool


@dataclass(frozen=True)
class HiddenExample:
    """A test example that transfer loses, with what most seeds answer.

    Attributes:
        number: in the test split, from 0.
        truth, transfer, control: names of classes.
    """

    number: int
    truth: str
    transfer: str
    control: str


def spread(values: Sequence[float], confidence: float = 0.95) -> Spread:
    """Return mean, standard deviation and t-interval of the mean."""
    from scipy.stats import t

    count = len(values)
    mean = float(np.mean(values)) if count else math.nan
    if count < 2:
        return Spread(mean, math.nan, math.nan, math.nan, count)
    sd = float(np.std(values, ddof=1))
    half = float(t.ppf(0.5 + confidence / 2, count - 1)) * sd / math.sqrt(count)
    return Spread(mean, sd, mean - half, mean + half, count)


def kept_seed(result: RunResult) -> SeedResult:
    """Return the run whose weights are kept.

    Raises:
        RecordError: when `best_seed` is none of the seeds.
    """
    for seed in result.seeds:
        if seed.seed == result.best_seed:
            return seed
    raise RecordError(
        arrived=f"plan {result.plan.name!r}: best_seed={result.best_seed}",
        expected=f"one of the seeds that ran: {[seed.seed for seed in result.seeds]}",
        action="run the plan again",
    )


def primary_control(report: Report) -> RunResult | None:
    """Return the control that the verdict names, or None if its result is not in the report."""
    names = {result.plan.name: result for result in report.controls}
    return names.get(report.verdict.baseline)


def verdict_against(report: Report, control: str) -> Verdict | None:
    """Return the verdict against one control, if it was judged."""
    verdicts = (report.verdict, *report.verdict.others)
    return next((verdict for verdict in verdicts if verdict.baseline == control), None)


def recalls(result: RunResult) -> NDArray[np.float64]:
    """Return the recall of each class, mean over seeds: [classes], NaN where undefined."""
    labels = np.asarray(result.labels, dtype=int)
    predicted = [seed.predictions for seed in result.seeds if len(seed.predictions) == len(labels)]
    out = np.full(len(result.class_names), np.nan)
    if not predicted or not len(labels):
        return out
    hits = (np.asarray(predicted, dtype=int) == labels).mean(axis=0)
    for label in range(len(out)):
        rows = labels == label
        if rows.any():
            out[label] = hits[rows].mean()
    return out


def class_rows(report: Report) -> list[ClassRow]:
    """Return recall of transfer and of the primary control for each class, in label order."""
    labels = np.asarray(report.transfer.labels, dtype=int)
    names = report.transfer.class_names
    support = np.bincount(labels, minlength=len(names))
    control = primary_control(report)
    ours = recalls(report.transfer)
    comparable = control is not None and len(control.class_names) == len(names)
    theirs = recalls(control) if control is not None and comparable else np.full(len(names), np.nan)
    judged = {each.name: each for each in report.verdict.classes}
    rows = []
    for name, count, a, b in zip(names, support, ours, theirs, strict=False):
        found = judged.get(name)
        below = bool(a - b < -report.verdict.margin)
        harmed = found.outcome == "harmed" if found else below
        rows.append(ClassRow(name, int(count), float(a), float(b), found, harmed))
    return rows


def hidden_examples(report: Report, most: int) -> list[HiddenExample]:
    """Return the first test examples that transfer loses, the worst first.

    Args:
        report: what the run gave.
        most: how many at most.
    """
    control, hidden = primary_control(report), report.verdict.hidden
    if control is None or hidden is None:
        return []
    names, labels = report.transfer.class_names, report.transfer.labels
    return [
        HiddenExample(
            number,
            names[labels[number]],
            names[_most_frequent(report.transfer, number)],
            names[_most_frequent(control, number)],
        )
        for number in hidden.lost_examples[:most]
    ]


def _most_frequent(result: RunResult, example: int) -> int:
    """Return the class that most seeds predict for a test example."""
    return int(np.bincount([seed.predictions[example] for seed in result.seeds]).argmax())


def confusion(result: RunResult) -> NDArray[np.int64] | None:
    """Return counts [true class, predicted class] of the kept seed, or None without predictions."""
    predictions = kept_seed(result).predictions
    if not predictions or len(predictions) != len(result.labels):
        return None
    size = len(result.class_names)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (np.asarray(result.labels), np.asarray(predictions)), 1)
    return counts
