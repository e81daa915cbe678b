"""What is trained, in which order: the criterion chooses with the first seed, then the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tuning.arms import ChoosingArm
from tuning.lines import Lines

from domain_comparison.places import Place
from domain_comparison.ways import BAR, Way

__all__ = ["Arm", "Trial", "arms_of"]


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        place: source, target and steps.
        way: its name.
        choose_by: criterion that keeps an evaluation.
        rate: the peak.
        strength: factor on the weight of the objective.
        seed: of head, order of rows, dropout, and the draw of a few labels.
        blocks: the last ones that train; 0: as many as the group says.
    """

    place: Place
    way: str
    choose_by: str
    rate: float
    strength: float
    seed: int
    blocks: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key of its result."""
        place = self.place
        pair = (place.group, place.source, place.target, str(place.steps))
        choice = (self.choose_by, f"{self.rate:g}", f"{self.strength:g}")
        blocks = (f"{self.blocks} blocks",) if self.blocks else ()
        return ("training", *pair, self.way, *choice, *blocks, str(self.seed))


@dataclass(frozen=True)
class Arm(ChoosingArm[Trial]):
    """A way at a place, with a criterion."""

    criterion = "choice"

    place: Place
    way: Way
    choose_by: str

    def choices(self, lines: Lines) -> list[Trial]:
        """Return what the criterion chooses from."""
        rates = self.place.of.rates if self.way.network else self.place.of.rates[:1]
        return [
            Trial(self.place, self.way.name, self.choose_by, rate, strength, 0, blocks)
            for rate in rates
            for strength in self.way.strengths
            for blocks in self.way.blocks
        ]

    def trials(self, chosen: Trial, seeds: int) -> list[Trial]:
        """Return a choice with the first seeds; no seed enters the way without a network."""
        count = seeds if self.way.network else 1
        return [replace(chosen, seed=seed) for seed in range(count)]


def arms_of(places: Iterable[Place], ways: Iterable[Way], choose_by: str) -> list[Arm]:
    """Return all arms, way by way at each place; that without a network chooses by the source."""
    return [
        Arm(place, way, "source" if way.name == BAR else choose_by)
        for place in places
        for way in ways
        if place.of.kind in way.kinds
    ]
