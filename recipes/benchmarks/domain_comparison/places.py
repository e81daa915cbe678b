"""Pairs of domains, with the network and the budget that every way has there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import permutations

from tuning.source import CHECKPOINTS, KINDS

from hf_transfer_plugin.records import DataSpec, Task

__all__ = ["GROUPS", "Group", "Place", "places_of"]


@dataclass(frozen=True)
class Group:
    """Domains with the same classes.

    Attributes:
        kind: a key of `tuning.source.KINDS`.
        pairs: source and target of each comparison.
        classes: that are told apart.
        layers: the last blocks that train, with the head; those below are computed once.
        steps: optimizer steps of each training.
        batch: labelled rows of a step; objectives read as many unlabelled ones.
        rates: peak learning rates that the criterion chooses from.
        rows: of train that are read in each domain; None for all.
        image_size: pixels of a side.
        max_length: tokens a text is cut to.
        folder: of the domains; empty for one named like the group.
    """

    kind: str
    pairs: tuple[tuple[str, str], ...]
    classes: int
    layers: int
    steps: int
    batch: int
    rates: tuple[float, ...]
    rows: int | None = None
    image_size: int | None = None
    max_length: int = 64
    folder: str = ""

    @property
    def task(self) -> Task:
        """Return the task."""
        return KINDS[self.kind]

    @property
    def checkpoint(self) -> str:
        """Return the network that is transferred."""
        return CHECKPOINTS[self.kind]


_PHOTO = tuple(("photo", target) for target in ("art_painting", "cartoon", "sketch"))
_PACS = Group(
    "images", _PHOTO, classes=7, layers=1, steps=200, batch=32, rates=(1e-3,), image_size=128
)
_REVIEWS = tuple(permutations(("books", "dvd", "electronics", "kitchen"), 2))
GROUPS: Mapping[str, Group] = {
    "digits": Group(
        "images",
        (("mnist", "usps"), ("usps", "mnist")),
        classes=10,
        layers=8,
        steps=200,
        batch=32,
        rates=(3e-3,),
        rows=2000,
        image_size=64,
    ),
    "pacs": _PACS,
    "pacs_224": replace(_PACS, image_size=224, folder="pacs"),  # what the network was trained on
    "blitzer_amazon": Group(
        "text", _REVIEWS, classes=2, layers=1, steps=80, batch=32, rates=(1e-3,), max_length=64
    ),
}


@dataclass(frozen=True)
class Place:
    """A source and a target.

    Attributes:
        group: a key of GROUPS.
        source, target: domains.
        steps: optimizer steps of every training.
    """

    group: str
    source: str
    target: str
    steps: int

    @property
    def of(self) -> Group:
        """Return what is known of the group."""
        return GROUPS[self.group]

    @property
    def label(self) -> str:
        """Return how a table names it."""
        return f"{self.source} -> {self.target}"

    def spec(self, data: str, domain: str, rows: int | None = None, seed: int = 0) -> DataSpec:
        """Return what the package reads of a domain.

        Args:
            data: folder of all groups.
            domain: source or target.
            rows: of train; None for those of the group.
            seed: of their draw.
        """
        return DataSpec(
            path=f"{data}/{self.of.folder or self.group}/{domain}",
            train_examples=rows or self.of.rows,
            max_length=self.of.max_length,
            image_size=self.of.image_size,
            seed=seed,
        )


def places_of(groups: Iterable[str], steps: Mapping[str, int]) -> list[Place]:
    """Return the pairs of some groups; `steps` replaces the budget of a group."""
    return [
        Place(name, source, target, steps.get(name, GROUPS[name].steps))
        for name in groups
        for source, target in GROUPS[name].pairs
    ]
