"""What is trained, in which order: each arm chooses with the first seed, then trains the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuning.arms import ChoosingArm
from tuning.lines import Lines

from how_comparison.places import Place
from how_comparison.ways import PLAIN, Method

__all__ = ["Arm", "Trial", "arms_of"]


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        place: rows and steps.
        way: its name.
        rate: the peak.
        strength: factor on the weight of the objective.
        seed: of head, order of rows and dropout.
    """

    place: Place
    way: str
    rate: float
    strength: float
    seed: int

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key of its result."""
        place = (self.place.dataset, str(self.place.share), str(self.place.steps))
        choice = (f"{self.rate:g}", f"{self.strength:g}", str(self.seed))
        return ("training", *place, self.way, *choice)


@dataclass(frozen=True)
class Arm(ChoosingArm[Trial]):
    """A way at a place.

    Attributes:
        place: rows and steps.
        way: how the network is fine-tuned.
        plain: full fine-tuning at the same place; None for that way itself.
    """

    criterion = "validation"

    place: Place
    way: Method
    plain: Arm | None = None

    def choices(self, lines: Lines) -> list[Trial]:
        """Return what validation chooses from; nothing while the rate of PLAIN is not known."""
        if self.way.rates:
            rates: Sequence[float] = self.way.rates[self.place.target.kind]
        else:
            plain = None if self.plain is None else self.plain.chosen(lines)
            rates = () if plain is None else (plain.rate,)
        return [
            Trial(self.place, self.way.name, rate, strength, 0)
            for rate in rates
            for strength in self.way.strengths
        ]

    def trials(self, chosen: Trial, seeds: int) -> list[Trial]:
        """Return a choice with the first seeds."""
        return [
            Trial(chosen.place, chosen.way, chosen.rate, chosen.strength, seed)
            for seed in range(seeds)
        ]


def arms_of(places: Iterable[Place], ways: Iterable[Method], *, by_way: bool = False) -> list[Arm]:
    """Return all arms, those that are trained first at the front.

    Args:
        places: rows and steps.
        ways: with PLAIN among them, or without a way that takes its rate.
        by_way: one way at all places before the next; otherwise place by place.
    """
    found: list[Arm] = []
    for place in places:
        fitting = [way for way in ways if place.target.kind in way.kinds]
        plain = next((Arm(place, way) for way in fitting if way.name == PLAIN), None)
        found += [Arm(place, way, None if way.name == PLAIN else plain) for way in fitting]
    if by_way:
        order = [way.name for way in ways]
        found.sort(key=lambda arm: order.index(arm.way.name))
    return found
