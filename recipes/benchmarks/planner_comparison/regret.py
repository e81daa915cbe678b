"""The planner against recipes picked by hand at the same place, over paired seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from how_comparison.arms import Arm, arms_of
from how_comparison.places import Place
from how_comparison.ways import Method
from tuning.lines import Lines

from planner_comparison.picks import trial_of

__all__ = ["Regret", "regrets"]


@dataclass(frozen=True)
class Regret:
    """What the planner lost at a place, in test accuracy.

    Attributes:
        place: rows and steps.
        pick: what was picked.
        planner: mean accuracy of the pick.
        best: way by hand with the best mean on test, and that mean: nobody can pick it.
        chosen: way by hand with the best validation, and its mean on test.
        seeds: of the pick; ways by hand that lack one of them are left out.
        by_hand: rows and seconds that the ways by hand took until the choice.
    """

    place: Place
    pick: Mapping[str, Any]
    planner: float
    best: tuple[str, float]
    chosen: tuple[str, float]
    seeds: int
    by_hand: tuple[int, float]

    @property
    def to_best(self) -> float:
        """Return points behind the best by hand; below 0: ahead of it."""
        return 100 * (self.best[1] - self.planner)

    @property
    def to_chosen(self) -> float:
        """Return points behind what validation chose by hand."""
        return 100 * (self.chosen[1] - self.planner)


def regrets(
    picks: Mapping[Place, Mapping[str, Any]],
    trainings: Sequence[tuple[Lines, Mapping[str, Method]]],
) -> list[Regret]:
    """Return what the planner lost, at each place where it and two ways by hand are trained.

    Args:
        picks: place -> what was picked.
        trainings: results, each with its ways by name; of several that know a place the first
            with all that is needed counts.
    """
    found = []
    for place, pick in picks.items():
        some = (_regret(place, pick, lines, ways) for lines, ways in trainings)
        found += [each for each in some if each is not None][:1]
    return found


def _regret(
    place: Place, pick: Mapping[str, Any], lines: Lines, ways: Mapping[str, Method]
) -> Regret | None:
    planner = {
        seed: lines[key]["test"]
        for seed in range(10)
        if (key := trial_of(place, pick, seed).key) in lines
    }
    arms = [arm for arm in arms_of([place], list(ways.values())) if arm.chosen(lines) is not None]
    if not planner or len(arms) < 2:
        return None
    results = {arm.way.name: arm.results(lines) for arm in arms}
    tests = {
        name: fmean(seeds[seed]["test"] for seed in planner)
        for name, seeds in results.items()
        if seeds.keys() >= planner.keys()
    }
    if not tests:
        return None
    valid = {arm.way.name: _validation(arm, lines) for arm in arms if arm.way.name in tests}
    best = max(tests, key=lambda name: tests[name])
    chosen = max(valid, key=lambda name: valid[name])
    batch = int(lines.environment["batch"])
    tried = [lines[trial.key] for arm in arms for trial in arm.choices(lines)]
    return Regret(
        place,
        pick,
        fmean(planner.values()),
        (best, tests[best]),
        (chosen, tests[chosen]),
        len(planner),
        (len(tried) * place.steps * batch, sum(each["seconds"] for each in tried)),
    )


def _validation(arm: Arm, lines: Lines) -> float:
    chosen = arm.chosen(lines)
    assert chosen is not None
    return float(lines[replace(chosen, seed=0).key]["validation"])
