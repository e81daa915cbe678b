"""The verdict and its parts: the outcome, each class, and the test examples transfer loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.serialization import Record

__all__ = ["ClassVerdict", "HiddenHarm", "Outcome", "Stop", "StopReason", "Verdict"]

Outcome = Literal["helped", "harmed", "equivalent", "inconclusive"]
StopReason = Literal["", "settled", "futile", "budget", "last"]


@dataclass(frozen=True)
class ClassVerdict(Record):
    """Recall of one class, transfer against the control.

    Attributes:
        examples: test examples of the class.
        transfer, control: recall, mean over the paired seeds.
        lower, upper: interval of transfer - control, at the level of its step among all classes.
        outcome: as of a verdict; over all classes together, the chance that any is called helped
            or harmed while nothing differs is 1 - confidence of the verdict at most.
    """

    name: str
    examples: int
    transfer: float
    control: float
    lower: float
    upper: float
    outcome: Outcome

    @property
    def difference(self) -> float:
        """Return recall of transfer minus that of the control."""
        return self.transfer - self.control


@dataclass(frozen=True)
class HiddenHarm(Record):
    """Test examples on which transfer and the control differ in more than half of the seeds.

    Attributes:
        examples: test examples.
        seeds: paired seeds.
        lost: the control is right and transfer is wrong.
        won: transfer is right and the control is wrong.
        expected: test examples that would be lost, and as many won, if transfer were only
            another set of seeds of the control.
        lost_examples, won_examples: their numbers in the test split, from 0; those of most seeds
            first, at most 20.
    """

    examples: int
    seeds: int
    lost: int
    won: int
    expected: float
    lost_examples: tuple[int, ...] = ()
    won_examples: tuple[int, ...] = ()


@dataclass(frozen=True)
class Stop(Record):
    """Where a comparison with planned looks stands (see `planned_look`).

    Attributes:
        seeds: paired seeds at this look; no later one enters the verdict.
        looks: all planned numbers of paired seeds.
        level: confidence of the interval at this look alone.
        reason: why it stopped here: "settled", "futile" (the last look would hardly settle it),
            "budget" (the next look would exceed that of the control), "last"; "" if it goes on.
    """

    seeds: int
    looks: tuple[int, ...]
    level: float
    reason: StopReason


@dataclass(frozen=True)
class Verdict(Record):
    """WHEN to transfer: transfer minus control on the target's test examples.

    Attributes:
        outcome: "helped" (lower > 0), "harmed" (upper < 0), "equivalent" (the interval lies
            inside the margin) or "inconclusive".
        go: lower > -margin, so transfer does no harm worth speaking of.
        difference: mean of transfer - control, in units of the metric.
        lower, upper: interval at `confidence`; the wider of both below where both exist.
        seed_interval: paired t-interval over seeds.
        item_interval: bootstrap over test examples, or None without predictions.
        seeds: number of paired seeds.
        baseline: name of the control.
        others: verdicts against the other controls, each at `confidence` on its own.
        sequential: the interval over seeds holds however often one looked (`anytime_interval`).
        family: candidates judged together; `confidence` is then that of this one's step.
        seeds_needed: estimate of the paired seeds that would settle it, where the interval over
            seeds is what leaves it open; None too where 10,000 would not do.
        examples_needed: the same of test examples, where the interval over them leaves it open.
        classes: recall of each class with test examples, in label order; empty without paired
            predictions.
        hidden: test examples lost and won behind the mean; None without paired predictions.
        stop: the planned look that it rests on, and why it stopped there; the interval is at that
            look's own level, so that those of all looks hold at once with `confidence`. None for
            a verdict over all seeds at once.
    """

    file_name = "verdict.json"

    outcome: Outcome
    go: bool
    difference: float
    lower: float
    upper: float
    margin: float
    confidence: float
    seeds: int
    baseline: str
    metric: str = "accuracy"
    transfer_mean: float = float("nan")
    control_mean: float = float("nan")
    seed_interval: tuple[float, float] | None = None
    item_interval: tuple[float, float] | None = None
    others: tuple[Verdict, ...] = ()
    sequential: bool = False
    family: int = 1
    seeds_needed: int | None = None
    examples_needed: int | None = None
    classes: tuple[ClassVerdict, ...] = ()
    hidden: HiddenHarm | None = None
    stop: Stop | None = None
