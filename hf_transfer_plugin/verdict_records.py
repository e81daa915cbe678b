"""The parts of a verdict: the outcome, each class, and the test examples that transfer loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.serialization import Record

__all__ = ["ClassVerdict", "HiddenHarm", "Outcome"]

Outcome = Literal["helped", "harmed", "equivalent", "inconclusive"]


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
