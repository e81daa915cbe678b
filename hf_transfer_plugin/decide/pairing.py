"""Bring two results to comparable seeds, or say why they cannot be compared."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, RunResult, SeedResult

__all__ = ["comparable_seeds", "correct_items", "seed_scores"]

# How an example is prepared may differ between plans; which examples there are may not.
PREPARATION = frozenset({"augment", "image_size", "max_length"})


def comparable_seeds(
    transfer: RunResult, control: RunResult, paired: bool
) -> tuple[tuple[SeedResult, ...], tuple[SeedResult, ...]]:
    """Return the seeds to compare; if paired, those of both results in the same order.

    Seeds that only one side has are left out with a warning.

    Raises:
        DataError: for other data, labels or metric, for a seed that comes twice, and for fewer
            than two seeds in common.
    """
    _check_same_task(transfer, control)
    ours, theirs = _by_seed(transfer), _by_seed(control)
    if not paired:
        return tuple(ours.values()), tuple(theirs.values())
    shared = sorted(ours.keys() & theirs.keys())
    name = control.plan.name
    if len(shared) < 2:
        raise DataError(
            arrived=f"transfer ran seeds {sorted(ours)}, {name} ran seeds {sorted(theirs)}: "
            f"{len(shared)} in common",
            expected="at least 2 seeds in common (5 are better)",
            action="run both plans with the same seeds, or pass paired=False",
        )
    alone = sorted(ours.keys() ^ theirs.keys())
    if alone:
        warnings.warn(
            f"seeds {alone} ran on one side only (transfer or {name}) and are left out: "
            f"{len(shared)} pairs are compared",
            stacklevel=4,
        )
    return tuple(ours[seed] for seed in shared), tuple(theirs[seed] for seed in shared)


def seed_scores(seeds: Sequence[SeedResult], result: RunResult) -> list[float]:
    """Return the judged test metric of these seeds.

    Raises:
        DataError: when a seed lacks the metric.
    """
    metric = result.plan.metric
    for seed in seeds:
        if metric not in seed.test:
            raise DataError(
                arrived=f"seed {seed.seed} of {result.plan.name} has no test {metric!r}, "
                f"only {sorted(seed.test)}",
                expected=f"the judged metric {metric!r} for every seed",
                action="name one of these as the plan's metric, or run the plan again",
            )
    return [seed.test[metric] for seed in seeds]


def correct_items(seeds: Sequence[SeedResult], result: RunResult) -> NDArray[np.bool_] | None:
    """Return which test examples these seeds got right.

    Returns:
        [seeds, items], or None when the result holds no labels or a seed no predictions.

    Raises:
        DataError: when a seed has more or fewer predictions than there are labels.
    """
    if not result.labels or not all(seed.predictions for seed in seeds):
        return None
    for seed in seeds:
        if len(seed.predictions) != len(result.labels):
            raise DataError(
                arrived=f"seed {seed.seed} of {result.plan.name} holds {len(seed.predictions)} "
                f"predictions for {len(result.labels)} labels",
                expected="one prediction a test example",
                action="run the plan again: the run was cut off or its files are mixed up",
            )
    predictions = np.asarray([seed.predictions for seed in seeds])
    return np.asarray(predictions == np.asarray(result.labels)[None, :])


def _by_seed(result: RunResult) -> dict[int, SeedResult]:
    found = {seed.seed: seed for seed in result.seeds}
    if len(found) < len(result.seeds):
        raise DataError(
            arrived=f"{result.plan.name} holds seeds {[seed.seed for seed in result.seeds]}",
            expected="every seed once: a repeated run is no independent one",
            action="run the plan with seeds that all differ",
        )
    return found


def _check_same_task(transfer: RunResult, control: RunResult) -> None:
    ours, theirs = transfer.plan, control.plan
    problems = []
    if ours.metric != theirs.metric:
        problems.append(f"metric {ours.metric!r} against {theirs.metric!r}")
    for name in (field.name for field in fields(DataSpec) if field.name not in PREPARATION):
        mine, other = getattr(ours.data, name), getattr(theirs.data, name)
        if mine != other:
            problems.append(f"data.{name} {mine!r} against {other!r}")
    if transfer.class_names != control.class_names:
        problems.append(f"classes {transfer.class_names} against {control.class_names}")
    if len(transfer.labels) != len(control.labels):
        problems.append(f"{len(transfer.labels)} test labels against {len(control.labels)}")
    elif transfer.labels != control.labels:
        other = sum(a != b for a, b in zip(transfer.labels, control.labels, strict=True))
        problems.append(f"{other} of {len(transfer.labels)} test labels differ")
    if problems:
        raise DataError(
            arrived=f"{ours.name} and {theirs.name} cannot be compared: {'; '.join(problems)}",
            expected="the same test examples in the same order, judged by the same metric",
            action="make the control from the transfer's plan (decide.controls) and run it again",
        )
