"""The verdict: did the transfer help, harm, make no difference, or is it too early to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.decide.checks import check_level, check_margin, finite_scores
from hf_transfer_plugin.decide.classes import class_verdicts
from hf_transfer_plugin.decide.hidden import hidden_harm
from hf_transfer_plugin.decide.outcomes import hull, outcome_of
from hf_transfer_plugin.decide.pairing import comparable_seeds, correct_items, seed_scores
from hf_transfer_plugin.decide.power import examples_to_settle, seeds_to_settle
from hf_transfer_plugin.decide.sequential import anytime_interval
from hf_transfer_plugin.decide.statistics import (
    item_bootstrap_interval,
    paired_t_interval,
    unpaired_t_interval,
)
from hf_transfer_plugin.errors import ConfigError, DataError, did_you_mean
from hf_transfer_plugin.records import RunResult, Verdict

__all__ = ["judge"]

Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Rule:
    """How to compare: the options of `judge`."""

    margin: float
    confidence: float
    paired: bool
    sequential: bool

    @property
    def over_seeds(self) -> Callable[[Sequence[float], float], Interval]:
        """Return the interval over paired differences, a function of them and a confidence."""
        return anytime_interval if self.sequential else paired_t_interval


def judge(
    transfer: RunResult | Sequence[float],
    control: RunResult | Sequence[RunResult] | Sequence[float],
    *,
    margin: float = 0.01,
    confidence: float = 0.95,
    paired: bool = True,
    baseline: str | None = None,
    sequential: bool = False,
) -> Verdict:
    """Compare a transfer with its control (the same task without the source).

    The interval is Student's over paired seeds (Welch's if not paired). Where both results hold
    predictions and the metric is accuracy, a bootstrap over test examples joins it, and lower and
    upper are the wider hull of both: the same seeds on other test examples, and other seeds on
    the same ones, both have to agree.

    Seeds that all differ by the same amount give an interval over seeds of no width. With results
    the interval over test examples then carries the uncertainty. With plain scores nothing does:
    equal differences above zero are "helped", and all zero is "equivalent".

    Examples:
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
        sequential: the interval over seeds is that of `anytime_interval`, so this may be asked
            again after every seed until it is settled. Its level holds for the seeds; the
            interval over test examples is the plain one.

    Returns:
        The verdict: helped if lower > 0, harmed if upper < 0, equivalent if the interval lies
        inside (-margin, margin), else inconclusive, with an estimate of what would settle it;
        `go` if lower > -margin. For results that hold paired predictions, also the verdict on
        each class and the test examples that transfer loses and wins.

    Raises:
        DataError: for fewer than two (paired) seeds, scores that are not finite, or results that
            cannot be compared: other data, other labels, another metric.
        ConfigError: for a margin, confidence or baseline that does not fit, or a sequential
            comparison of seeds that are not paired.
    """
    check_level(confidence)
    check_margin(margin)
    if sequential and not paired:
        raise ConfigError(
            arrived="sequential=True with paired=False",
            expected="paired seeds: the interval that holds at every look is of their differences",
            action="run both plans with the same seeds, or judge once with sequential=False",
        )
    rule = _Rule(margin, confidence, paired, sequential)
    controls = list(control) if isinstance(control, Iterable) else [control]
    if isinstance(transfer, RunResult) and controls and _all_results(controls):
        verdicts = []
        for result in _primary_first(controls, baseline):
            verdicts.append(_judge_results(transfer, result, rule))
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
    verdict = _verdict(first, second, None, rule)
    return verdict if baseline is None else replace(verdict, baseline=baseline)


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


def _judge_results(transfer: RunResult, control: RunResult, rule: _Rule) -> Verdict:
    first, second = comparable_seeds(transfer, control, rule.paired)
    metric, name = transfer.plan.metric, control.plan.name
    ours, theirs = correct_items(first, transfer), correct_items(second, control)
    items = None
    if metric == "accuracy" and ours is not None and theirs is not None:
        items = item_bootstrap_interval(ours, theirs, rule.confidence)
    verdict = _verdict(
        finite_scores(seed_scores(first, transfer), f"scores of {transfer.plan.name}"),
        finite_scores(seed_scores(second, control), f"scores of {name}"),
        items,
        rule,
    )
    verdict = replace(verdict, baseline=name, metric=metric)
    if verdict.outcome == "inconclusive" and items and len(transfer.labels):
        needed = examples_to_settle(items, verdict.difference, rule.margin, len(transfer.labels))
        more = needed if needed and needed > len(transfer.labels) else None
        verdict = replace(verdict, examples_needed=more)
    if not rule.paired or ours is None or theirs is None:
        return verdict
    classes = class_verdicts(
        ours,
        theirs,
        transfer.labels,
        transfer.class_names,
        margin=rule.margin,
        confidence=rule.confidence,
        seed_interval=rule.over_seeds,
    )
    return replace(verdict, classes=classes, hidden=hidden_harm(ours, theirs))


def _verdict(transfer: Floats, control: Floats, items: Interval | None, rule: _Rule) -> Verdict:
    """Build the verdict from scores [seeds] of both sides and the interval over test examples."""
    if rule.paired and len(transfer) != len(control):
        raise DataError(
            arrived=f"{len(transfer)} scores of transfer, {len(control)} of the control",
            expected="the same seeds on both sides, in the same order",
            action="run the missing seeds, or pass paired=False if the seeds are unrelated",
        )
    count = min(len(transfer), len(control))
    needed = None
    if rule.paired:
        differences = (transfer - control).tolist()
        seeds = rule.over_seeds(differences, rule.confidence)
        needed = seeds_to_settle(differences, rule.margin, rule.confidence, anytime=rule.sequential)
    else:
        seeds = unpaired_t_interval(transfer.tolist(), control.tolist(), rule.confidence)
    lower, upper = hull(seeds, items)
    outcome = outcome_of(lower, upper, rule.margin)
    is_open = outcome == "inconclusive"
    return Verdict(
        outcome=outcome,
        go=lower > -rule.margin,
        difference=float(transfer.mean() - control.mean()),
        lower=lower,
        upper=upper,
        margin=rule.margin,
        confidence=rule.confidence,
        seeds=count,
        baseline="control",
        metric="score",
        transfer_mean=float(transfer.mean()),
        control_mean=float(control.mean()),
        seed_interval=seeds,
        item_interval=items,
        sequential=rule.sequential,
        seeds_needed=needed if is_open and needed and needed > count else None,
    )
