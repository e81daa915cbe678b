"""Verdicts at planned looks: where each comparison stops, why, and what is wanted to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hf_transfer_plugin.decide.planned_looks import look_levels, planned_look
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import RunResult, Stop, Verdict

__all__ = ["judge_at_looks", "seeds_wanted", "training_seconds"]


def judge_at_looks(
    transfer: RunResult,
    controls: Sequence[RunResult],
    looks: Sequence[int],
    *,
    margin: float = 0.01,
    confidence: float = 0.95,
    control_minutes: float | None = None,
) -> Verdict:
    """Judge each comparison at the first planned look that stops it, or the last one it reached.

    Depends on the results alone, so it may be asked again at any time: seeds after the look that
    stopped a comparison never enter its verdict.

    Args:
        transfer: its result, with seeds in the order in which they were planned.
        controls: the first one decides, the rest become `others`; each with as many seeds as the
            transfer or fewer.
        looks: increasing numbers of paired seeds, from 2.
        margin: as for `judge`.
        confidence: of all looks of one comparison together; each interval, over test examples
            too, is at its look's own level.
        control_minutes: what the training of one control may take; a control whose next look
            would take it beyond that, by its mean time per seed, stops. None: no limit.

    Returns:
        The verdict, each with its `stop`; where that has no reason, the next look is wanted.

    Raises:
        DataError: when a control has fewer paired seeds than the first look, and as `judge`.
        ConfigError: as `planned_look`.
    """
    verdicts = []
    for control in controls:
        verdict, stop = _first_stop(transfer, control, looks, margin, confidence)
        if not stop.reason and control_minutes is not None:
            if training_seconds(control, _following(stop)) > 60.0 * control_minutes:
                verdict = replace(verdict, stop=replace(stop, reason="budget"))
        verdicts.append(verdict)
    return replace(verdicts[0], others=tuple(verdicts[1:]))


def seeds_wanted(verdict: Verdict) -> dict[str, int]:
    """Return control -> seeds of its next look, of each comparison that goes on."""
    return {
        each.baseline: _following(each.stop)
        for each in (verdict, *verdict.others)
        if each.stop is not None and not each.stop.reason
    }


def training_seconds(control: RunResult, seeds: int) -> float:
    """Return the seconds that training takes up to a number of seeds: measured, then projected.

    A grid of learning rates counts with each rate as long as the one that was kept, and a seed
    that is missing as long as those that ran on average.
    """
    ran = [each.wall_seconds for each in control.seeds]
    rates = max(1, len(control.plan.learning_rates))
    missing = max(0, seeds - len(ran))
    return (rates - 1) * ran[0] + sum(ran) + missing * sum(ran) / len(ran)


def _first_stop(
    transfer: RunResult,
    control: RunResult,
    looks: Sequence[int],
    margin: float,
    confidence: float,
) -> tuple[Verdict, Stop]:
    """Return the verdict at the first look that stops, else at the last one reached."""
    levels = look_levels(looks, confidence)
    pairs = min(len(transfer.seeds), len(control.seeds))
    if pairs < looks[0]:
        raise DataError(
            arrived=f"{pairs} paired seeds of {transfer.plan.name} and {control.plan.name}",
            expected=f"at least those of the first look of {list(looks)}",
            action="run both plans up to the first look",
        )
    for seeds in looks:
        if seeds > pairs:
            break
        ours, theirs = (replace(each, seeds=each.seeds[:seeds]) for each in (transfer, control))
        verdict = judge(ours, theirs, margin=margin, confidence=levels[seeds])
        found = planned_look(
            [a - b for a, b in zip(ours.scores(), theirs.scores(), strict=True)],
            looks,
            margin=margin,
            confidence=confidence,
            items=verdict.item_interval,
        )
        stop = Stop(seeds, tuple(looks), found.level, found.stop)
        if stop.reason:
            break
    return replace(verdict, confidence=confidence, stop=stop), stop


def _following(stop: Stop) -> int:
    return next(seeds for seeds in stop.looks if seeds > stop.seeds)
