"""What is transferred to what: sources, targets, and the trainings that judge each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tuning.source import Source

__all__ = [
    "PARTS",
    "SIZES",
    "SOURCES",
    "TARGETS",
    "Origin",
    "Place",
    "Target",
    "counted",
    "network_of",
    "places_of",
]

PARTS = ("sources", "trainings", "forecasts", "rescues")
#: Training rows of a target.
SIZES = (50, 200, 1000, 5000)


@dataclass(frozen=True)
class Origin(Source):
    """A source, and what is done to the rows it is trained on.

    Attributes:
        change: "random labels" draws each label, "shuffled labels" hands those of the rows
            around, "noise" keeps the labels and puts noise in place of every image.
        frozen: on the target only the head trains.
    """

    change: Literal["", "random labels", "shuffled labels", "noise"] = ""
    frozen: bool = False

    @property
    def architecture(self) -> str:
        """Return what a network from scratch must share with this one."""
        return self.network if self.layers is None else f"{self.network}-{self.layers}-layers"


@dataclass(frozen=True)
class Target:
    """A data set that is transferred to.

    Attributes:
        kind: a key of KINDS.
        most: training rows it has at most.
    """

    kind: str
    most: int


_FROZEN = "-frozen"
_TRAINED: dict[str, Origin] = {
    "mnist": Origin("images", "resnet", dataset="digits/mnist"),
    "usps": Origin("images", "resnet", dataset="digits/usps"),
    "photo": Origin("images", "resnet", dataset="pacs/photo"),
    "sketch": Origin("images", "resnet", dataset="pacs/sketch"),
    "mnist-random-labels": Origin(
        "images", "resnet", dataset="digits/mnist", change="random labels"
    ),
    "usps-shuffled-labels": Origin(
        "images", "resnet", dataset="digits/usps", change="shuffled labels"
    ),
    "noise": Origin("images", "resnet", dataset="digits/mnist", change="noise"),
    "minilm": Origin("text", "minilm"),
    "minilm-2-layers": Origin("text", "minilm", layers=2),
    "minilm-shuffled-layers": Origin("text", "minilm", shuffled=True),
    "minilm-sst2": Origin("text", "minilm", dataset="sst2_sentences"),
    "minilm-random-labels": Origin(
        "text", "minilm", dataset="sst2_sentences", change="random labels"
    ),
}

#: Each source twice: all of it trains on the target, or its head alone.
SOURCES: dict[str, Origin] = _TRAINED | {
    f"{name}{_FROZEN}": replace(source, frozen=True) for name, source in _TRAINED.items()
}

TARGETS: dict[str, Target] = {
    "digits/mnist": Target("images", 5000),
    "digits/usps": Target("images", 5000),
    "pacs/photo": Target("images", 1000),
    "pacs/art_painting": Target("images", 1000),
    "pacs/cartoon": Target("images", 1000),
    "pacs/sketch": Target("images", 1000),
    "trec6": Target("text", 1000),
    "cr": Target("text", 1000),
    "tweet_emotion": Target("text", 1000),
}


@dataclass(frozen=True)
class Place:
    """A target with a number of training rows: one set of data for all that are compared on it.

    Attributes:
        target: a key of TARGETS.
        rows: of training.
        sources: keys of SOURCES that are transferred to it.
    """

    target: str
    rows: int
    sources: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Return the kind of data."""
        return TARGETS[self.target].kind

    @property
    def arms(self) -> dict[str, str]:
        """Return what is trained here: name -> source; a name from scratch takes the shape alone.

        Each architecture of the sources has one control.
        """
        scratch = {f"scratch {SOURCES[name].architecture}": name for name in self.sources[::-1]}
        return {**scratch, **{name: name for name in self.sources}}

    def control(self, source: str) -> str:
        """Return the name of the same architecture from scratch."""
        return f"scratch {SOURCES[source].architecture}"

    def key(self, arm: str, rate: float, seed: int) -> tuple[str, ...]:
        """Return the key of one training."""
        return ("training", self.target, str(self.rows), arm, f"{rate:g}", str(seed))

    @property
    def forecast_key(self) -> tuple[str, ...]:
        """Return the key of its forecasts."""
        return ("forecast", self.target, str(self.rows))

    def rescue_key(self, source: str) -> tuple[str, ...]:
        """Return the key of one ladder of rescues."""
        return ("rescue", self.target, str(self.rows), source)


def network_of(source: str) -> str:
    """Return the name of the network that a source is: frozen or not, it is the same one."""
    return source.removesuffix(_FROZEN)


def counted(target: str, sources: Sequence[str]) -> tuple[str, ...]:
    """Return the sources of this kind of data that never saw the labels of the target."""
    kind = TARGETS[target].kind
    return tuple(
        name
        for name in sources
        if SOURCES[name].kind == kind and (SOURCES[name].dataset != target or SOURCES[name].change)
    )


def places_of(targets: Sequence[str], sources: Sequence[str], sizes: Sequence[int]) -> list[Place]:
    """Return every target in every size that it has, with the sources that count there."""
    return [
        Place(target, rows, names)
        for rows in sizes
        for target in targets
        if rows <= TARGETS[target].most and (names := counted(target, sources))
    ]
