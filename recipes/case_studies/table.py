"""The table of a study, computed from the stored answers of its rungs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, roc_auc_score

from case_studies.answers import TrainAnswers
from case_studies.study import Rung, Study
from hf_transfer_plugin import judge
from hf_transfer_plugin.environment import environment
from hf_transfer_plugin.records import RunResult, SeedResult
from hf_transfer_plugin.report.evidence import spread
from hf_transfer_plugin.serialization import Record

__all__ = ["ClassFigures", "Difference", "Figure", "RungRow", "StudyTable", "positive", "table_of"]

_MARGIN, _CONFIDENCE = 0.01, 0.95


@dataclass(frozen=True)
class Figure(Record):
    """A mean over seeds with its t-interval, which is NaN for one seed."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class RungRow(Record):
    """What one rung gave.

    Attributes:
        title: what it is.
        seeds: how many were trained.
        train: accuracy of the kept model on rows of train, without augmentation.
        validation, test: accuracy.
        precision, recall, f1: on test, each class weighted by its examples, mean over seeds.
        auc: area under the ROC curve, mean over seeds; NaN with more than two classes.
        seconds: training with its evaluations, all seeds together.
        first_seconds: of the first seed, which computes frozen layers where they are kept.
        peak_memory: bytes, the most of all seeds; None where not measured.
        parameters, trainable: weights, and those that train in the last phase.
    """

    name: str
    title: str
    seeds: int
    train: float
    validation: Figure
    test: Figure
    precision: float
    recall: float
    f1: float
    auc: float
    seconds: float
    first_seconds: float
    peak_memory: int | None
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Difference(Record):
    """One rung minus another, as `judge` finds over paired seeds and test examples."""

    rung: str
    against: str
    difference: float
    lower: float
    upper: float
    outcome: str
    seeds: int


@dataclass(frozen=True)
class ClassFigures(Record):
    """Precision, recall and F1 of one class, mean over seeds."""

    name: str
    examples: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class StudyTable(Record):
    """All figures of a study.

    Attributes:
        counts: split -> examples.
        train_rows: rows behind each `train`.
        best: rung with the best mean validation accuracy; its classes are listed.
    """

    file_name = "table.json"

    title: str
    note: str
    command: str
    counts: Mapping[str, int]
    class_count: int
    train_rows: int
    confidence: float
    margin: float
    rungs: tuple[RungRow, ...]
    differences: tuple[Difference, ...]
    best: str
    classes: tuple[ClassFigures, ...]
    environment: Mapping[str, str]


def table_of(
    study: Study,
    results: Mapping[str, RunResult],
    trained: Mapping[str, TrainAnswers],
    counts: Mapping[str, int],
    command: str,
) -> StudyTable:
    """Return the figures of a study.

    Args:
        study: what was asked for.
        results: rung -> what it gave.
        trained: rung -> answers on train.
        counts: split -> examples.
        command: repeats it.
    """
    rows = tuple(_row(rung, results[rung.name], trained[rung.name]) for rung in study.rungs)
    best = max(rows, key=lambda row: row.validation.mean).name
    return StudyTable(
        title=study.title,
        note=study.note,
        command=command,
        counts=dict(counts),
        class_count=len(results[best].class_names),
        train_rows=max(each.rows for each in trained.values()),
        confidence=_CONFIDENCE,
        margin=_MARGIN,
        rungs=rows,
        differences=tuple(_differences(study.rungs, results)),
        best=best,
        classes=_classes(results[best]),
        environment=environment(),
    )


def positive(result: RunResult, seed: SeedResult) -> NDArray[np.float64]:
    """Return the probability of the second of two classes: [test examples]."""
    sure = np.asarray(seed.confidences)
    return np.where(np.asarray(seed.predictions) == 1, sure, 1 - sure)


def _row(rung: Rung, result: RunResult, trained: TrainAnswers) -> RungRow:
    reports = [_report(result, seed)["weighted avg"] for seed in result.seeds]
    memory = [each.cost.peak_memory for each in result.seeds if each.cost]
    known = [each for each in memory if each is not None]
    metric = result.plan.metric
    return RungRow(
        name=rung.name,
        title=rung.config.title,
        seeds=len(result.seeds),
        train=trained.accuracy,
        validation=_figure([each.validation[metric] for each in result.seeds]),
        test=_figure(result.scores()),
        precision=fmean(each["precision"] for each in reports),
        recall=fmean(each["recall"] for each in reports),
        f1=fmean(each["f1-score"] for each in reports),
        auc=_auc(result),
        seconds=sum(each.wall_seconds for each in result.seeds),
        first_seconds=result.seeds[0].wall_seconds,
        peak_memory=max(known, default=None),
        parameters=result.parameters,
        trainable=result.trainable_parameters,
    )


def _figure(values: Sequence[float]) -> Figure:
    found = spread(values, _CONFIDENCE)
    return Figure(found.mean, found.lower, found.upper)


def _report(result: RunResult, seed: SeedResult) -> dict[str, dict[str, float]]:
    """Return the per-class report of scikit-learn; names are numbers, which never clash."""
    numbers = list(range(len(result.class_names)))
    found: dict[str, dict[str, float]] = classification_report(
        result.labels,
        seed.predictions,
        labels=numbers,
        target_names=[str(number) for number in numbers],
        output_dict=True,
        zero_division=0.0,
    )
    return found


def _auc(result: RunResult) -> float:
    if len(result.class_names) != 2:
        return math.nan
    return fmean(
        float(roc_auc_score(result.labels, positive(result, seed))) for seed in result.seeds
    )


def _classes(result: RunResult) -> tuple[ClassFigures, ...]:
    reports = [_report(result, seed) for seed in result.seeds]
    return tuple(
        ClassFigures(
            name=name,
            examples=int(reports[0][str(number)]["support"]),
            precision=fmean(each[str(number)]["precision"] for each in reports),
            recall=fmean(each[str(number)]["recall"] for each in reports),
            f1=fmean(each[str(number)]["f1-score"] for each in reports),
        )
        for number, name in enumerate(result.class_names)
    )


def _differences(rungs: Sequence[Rung], results: Mapping[str, RunResult]) -> list[Difference]:
    """Judge each rung against the one it names, or the one before it; both over shared seeds."""
    found = []
    for before, rung in pairwise(rungs):
        named = rung.against
        against = named if named is not None and named in results else before.name
        ours, theirs = _shared(results[rung.name], results[against])
        if len(ours.seeds) < 2:
            continue
        verdict = judge(ours, theirs, margin=_MARGIN, confidence=_CONFIDENCE)
        found.append(
            Difference(
                rung=rung.name,
                against=against,
                difference=verdict.difference,
                lower=verdict.lower,
                upper=verdict.upper,
                outcome=verdict.outcome,
                seeds=verdict.seeds,
            )
        )
    return found


def _shared(first: RunResult, second: RunResult) -> tuple[RunResult, RunResult]:
    known = {each.seed for each in first.seeds} & {each.seed for each in second.seeds}
    ours, theirs = (
        replace(result, seeds=tuple(each for each in result.seeds if each.seed in known))
        for result in (first, second)
    )
    return ours, theirs
