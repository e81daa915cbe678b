"""Where the ways to fine-tune are compared: data sets, their networks, rows and steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.source import CHECKPOINTS, KINDS

from hf_transfer_plugin.records import DataSpec, Task

__all__ = ["TARGETS", "Place", "Target", "places_of"]


@dataclass(frozen=True)
class Target:
    """A data set.

    Attributes:
        kind: a key of `tuning.source.KINDS`.
        rows: of training.
        classes: that are told apart.
    """

    kind: str
    rows: int
    classes: int

    @property
    def task(self) -> Task:
        """Return the task."""
        return KINDS[self.kind]

    @property
    def checkpoint(self) -> str:
        """Return the network that is transferred to it."""
        return CHECKPOINTS[self.kind]


TARGETS = {
    "trec6": Target("text", 4831, 6),
    "tweet_emotion": Target("text", 3257, 4),
    "banking77": Target("text", 9000, 77),
    "oxford_pets37_subset": Target("images", 585, 37),
}


@dataclass(frozen=True)
class Place:
    """Training rows of a data set, and the optimizer steps that every way makes on them.

    Attributes:
        dataset: a key of TARGETS, or of what a caller looks up.
        share: percent of the training rows, a stratified sample below 100.
        steps: optimizer steps.
    """

    dataset: str
    share: int
    steps: int

    @property
    def target(self) -> Target:
        """Return what is known of the data set."""
        return TARGETS[self.dataset]

    @property
    def rows(self) -> int | None:
        """Return the number of training rows; None for all."""
        return None if self.share == 100 else round(self.target.rows * self.share / 100)

    @property
    def label(self) -> str:
        """Return how a table names it."""
        return f"{self.dataset}, {self.share} %"

    def spec(self, folder: str, max_length: int, image_size: int) -> DataSpec:
        """Return what the package reads.

        Args:
            folder: of the parquet files.
            max_length: tokens a text is cut to.
            image_size: pixels of a side.
        """
        size = image_size if self.target.kind == "images" else None
        return DataSpec(
            path=folder, train_examples=self.rows, max_length=max_length, image_size=size
        )


def places_of(names: Sequence[str], shares: Sequence[int], steps: dict[str, int]) -> list[Place]:
    """Return the places of some data sets, small shares first; `steps` are by kind of data."""
    return [
        Place(name, share, steps[TARGETS[name].kind]) for share in sorted(shares) for name in names
    ]
