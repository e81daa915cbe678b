"""Arms held against full fine-tuning at the same place, over paired seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from tuning.lines import Lines

from hf_transfer_plugin import judge
from hf_transfer_plugin.records import Verdict
from how_comparison.arms import Arm, Trial, arms_of
from how_comparison.places import Place
from how_comparison.ways import PLAIN, Method

__all__ = ["Judged", "judged", "spoken"]

#: What counts as no difference: half a point.
MARGIN = 0.005
_FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Judged:
    """An arm with its results.

    Attributes:
        arm: way and place.
        chosen: what validation chose.
        results: one for each seed, in their order.
        scores: test accuracies of the seeds that PLAIN has, too.
        plain: those of PLAIN.
    """

    arm: Arm
    chosen: Trial
    results: tuple[Any, ...]
    scores: tuple[float, ...]
    plain: tuple[float, ...]

    @property
    def verdict(self) -> Verdict | None:
        """Return how it compares with PLAIN; None for PLAIN itself and a single seed."""
        if self.arm.way.name == PLAIN or len(self.scores) < _FEWEST_SEEDS:
            return None
        return judge(self.scores, self.plain, margin=MARGIN, baseline="full fine-tuning")

    @property
    def validation(self) -> float:
        """Return the mean accuracy on validation rows."""
        return fmean(each["validation"] for each in self.results)

    @property
    def accuracy(self) -> str:
        """Return mean and deviation of the test accuracy, in percent."""
        scores = [100 * each["test"] for each in self.results]
        spread = f" ± {stdev(scores):.1f}" if len(scores) > 1 else ""
        return f"{fmean(scores):.1f}{spread}"

    @property
    def trainable(self) -> float:
        """Return the share of the weights that train at last."""
        first = self.results[0]
        return float(first["trainable"] / first["parameters"])


def judged(lines: Lines, ways: Callable[[], dict[str, Method]]) -> dict[Place, list[Judged]]:
    """Return place -> its arms that are trained, in the order of the ways.

    Args:
        lines: the results.
        ways: all there are, by name.
    """
    trained = {
        Place(key[1], int(key[2]), int(key[3])): None for key in lines if key[0] == "training"
    }
    found: dict[Place, list[Judged]] = {}
    for arm in arms_of(trained, list(ways().values())):
        results = arm.results(lines)
        chosen = arm.chosen(lines)
        if chosen is None:
            continue
        plain = (arm.plain or arm).results(lines)
        shared = sorted(results.keys() & plain.keys())
        found.setdefault(arm.place, []).append(
            Judged(
                arm,
                chosen,
                tuple(results[seed] for seed in sorted(results)),
                tuple(results[seed]["test"] for seed in shared),
                tuple(plain[seed]["test"] for seed in shared),
            )
        )
    return found


def spoken(verdict: Verdict | None) -> str:
    """Return a difference in points, its interval and the word for it."""
    if verdict is None:
        return "-"
    numbers: Sequence[float] = (verdict.difference, verdict.lower, verdict.upper)
    middle, lower, upper = (f"{100 * number:+.1f}" for number in numbers)
    return f"{middle} [{lower}, {upper}] {verdict.outcome}"
