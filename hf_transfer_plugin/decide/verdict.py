"""The verdict: did the transfer help, harm, make no difference, or is it too early to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.decide.checks import check_level, check_margin, finite_scores
from hf_transfer_plugin.decide.pairing import comparable_seeds, correct_items, seed_scores
from hf_transfer_plugin.decide.statistics import (
    item_bootstrap_interval,
    paired_t_interval,
    unpaired_t_interval,
)
from hf_transfer_plugin.errors import ConfigError, DataError, did_you_mean
from hf_transfer_plugin.records import Outcome, RunResult, Verdict

__all__ = ["judge", "outcome_of"]

Interval = tuple[float, float]
Floats = NDArray[np.float64]


def judge(
    transfer: RunResult | Sequence[float],
    control: RunResult | Sequence[RunResult] | Sequence[float],
    *,
    margin: float = 0.01,
    confidence: float = 0.95,
    paired: bool = True,
    baseline: str | None = None,
) -> Verdict:
    """Compare a transfer with its control (the same task without the source).

    The interval is Student's over paired seeds (Welch's if not paired). Where both results hold
    predictions and the metric is accuracy, a bootstrap over test examples joins it, and lower and
    upper are the wider hull of both: the same seeds on other test examples, and other seeds on
    the same ones, both have to agree.

    Seeds that all differ by the same amount give an interval over seeds of no width. With results
    the interval over test examples then carries the uncertainty. With plain scores nothing does:
    equal differences above zero are "helped", and all zero is "equivalent".

    Example:
        >>> judge([0.91, 0.92, 0.90], [0.85, 0.85, 0.84], baseline="from-scratch").outcome
        'helped'

    Args:
        transfer: a result, or scores [seeds] (higher is better).
        control: a result, results (the first is the one that decides, the rest become `others`),
            or scores [seeds].
        margin: smallest difference that matters, in units of the metric.
        confidence: of the interval, in (0, 1).
        paired: seed i of both shared its data order and its seed. Results are paired by seed
            number, scores by position.
        baseline: for results, the plan name of the control that decides; for scores, the name to
            show ("control" if None).

    Returns:
        The verdict: helped if lower > 0, harmed if upper < 0, equivalent if the interval lies
        inside (-margin, margin), else inconclusive; `go` if lower > -margin.

    Raises:
        DataError: for fewer than two (paired) seeds, scores that are not finite, or results that
            cannot be compared: other data, other labels, another metric.
        ConfigError: for a margin, confidence or baseline that does not fit.
    """
    check_level(confidence)
    check_margin(margin)
    controls = list(control) if isinstance(control, Iterable) else [control]
    if isinstance(transfer, RunResult) and controls and _all_results(controls):
        verdicts = []
        for result in _primary_first(controls, baseline):
            verdicts.append(_judge_results(transfer, result, margin, confidence, paired))
        return replace(verdicts[0], others=tuple(verdicts[1:]))
    if isinstance(transfer, RunResult) or any(isinstance(x, RunResult) for x in controls):
        raise DataError(
            arrived=f"transfer is a {type(transfer).__name__}, control holds "
            f"{sorted({type(x).__name__ for x in controls}) or 'nothing'}",
            expected="RunResult records on both sides, or plain scores on both sides",
            action="pass result.scores() for the side that is a record",
        )
    first = finite_scores(transfer, "scores of transfer")
    second = finite_scores(controls, "scores of the control")
    verdict = _verdict(first, second, None, margin=margin, confidence=confidence, paired=paired)
    return verdict if baseline is None else replace(verdict, baseline=baseline)


def outcome_of(lower: float, upper: float, margin: float) -> Outcome:
    """Return the outcome that an interval stands for.

    Args:
        lower: lower end of transfer - control.
        upper: upper end.
        margin: smallest difference that matters, in the same units.
    """
    if lower > 0.0:
        return "helped"
    if upper < 0.0:
        return "harmed"
    if -margin < lower and upper < margin:
        return "equivalent"
    return "inconclusive"


def _all_results(values: Sequence[object]) -> TypeGuard[list[RunResult]]:
    return all(isinstance(value, RunResult) for value in values)


def _primary_first(results: list[RunResult], baseline: str | None) -> list[RunResult]:
    names = [result.plan.name for result in results]
    if baseline is None:
        return results
    if baseline not in names:
        raise ConfigError(
            arrived=f"baseline={baseline!r} names none of the controls"
            f"{did_you_mean(baseline, names)}",
            expected=f"one of {names}",
            action="correct the name, or leave it out to let the first control decide",
        )
    first = names.index(baseline)
    return [results[first], *results[:first], *results[first + 1 :]]


def _judge_results(
    transfer: RunResult, control: RunResult, margin: float, confidence: float, paired: bool
) -> Verdict:
    first, second = comparable_seeds(transfer, control, paired)
    metric, name = transfer.plan.metric, control.plan.name
    items = None
    if metric == "accuracy":
        right = correct_items(first, transfer), correct_items(second, control)
        if right[0] is not None and right[1] is not None:
            items = item_bootstrap_interval(right[0], right[1], confidence)
    verdict = _verdict(
        finite_scores(seed_scores(first, transfer), f"scores of {transfer.plan.name}"),
        finite_scores(seed_scores(second, control), f"scores of {name}"),
        items,
        margin=margin,
        confidence=confidence,
        paired=paired,
    )
    return replace(verdict, baseline=name, metric=metric)


def _verdict(
    transfer: Floats,
    control: Floats,
    items: Interval | None,
    *,
    margin: float,
    confidence: float,
    paired: bool,
) -> Verdict:
    """Build the verdict from scores [seeds] of both sides and the interval over test examples."""
    if paired and len(transfer) != len(control):
        raise DataError(
            arrived=f"{len(transfer)} scores of transfer, {len(control)} of the control",
            expected="the same seeds on both sides, in the same order",
            action="run the missing seeds, or pass paired=False if the seeds are unrelated",
        )
    if paired:
        seeds = paired_t_interval((transfer - control).tolist(), confidence)
    else:
        seeds = unpaired_t_interval(transfer.tolist(), control.tolist(), confidence)
    lower = min(seeds[0], items[0]) if items else seeds[0]
    upper = max(seeds[1], items[1]) if items else seeds[1]
    return Verdict(
        outcome=outcome_of(lower, upper, margin),
        go=lower > -margin,
        difference=float(transfer.mean() - control.mean()),
        lower=lower,
        upper=upper,
        margin=margin,
        confidence=confidence,
        seeds=min(len(transfer), len(control)),
        baseline="control",
        metric="score",
        transfer_mean=float(transfer.mean()),
        control_mean=float(control.mean()),
        seed_interval=seeds,
        item_interval=items,
    )
