"""What holds for all measurements of the benchmark of few labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["FROZEN", "METHODS", "PLACES", "SETFIT", "ZERO", "Place", "Settings"]

SETFIT = "setfit"
FROZEN = ("prototypes", "probe")
METHODS = (*FROZEN, "contrastive", SETFIT)
ZERO = ("cr", "tweet_emotion", "trec6", "banking77", "ag_news_subset")


@dataclass(frozen=True)
class Place:
    """A data set at a number of labels.

    Attributes:
        dataset: folder below --data.
        shots: labels of each class.
        draws: how often.
        methods: that are run.
    """

    dataset: str
    shots: int
    draws: int
    methods: tuple[str, ...] = METHODS

    @property
    def images(self) -> bool:
        """Tell whether it holds images."""
        return self.dataset == "oxford_pets37_subset"


# The options of contrastive tuning were chosen on trec6 and sst2_sentences.
PLACES = (
    Place("cr", 8, 5),
    Place("tweet_emotion", 8, 5),
    Place("banking77", 1, 3),
    *(Place("oxford_pets37_subset", shots, 5, FROZEN) for shots in (1, 2, 4, 8)),
)


@dataclass(frozen=True)
class Settings:
    """What the numbers depend on beside their keys.

    Attributes:
        test_rows: stratified subset of the test split, at most.
        iterations: of SetFit, pairs of each kind drawn for a row.
    """

    data: str
    test_rows: int
    max_length: int
    image_size: int
    iterations: int
    threads: int

    def environment(self) -> dict[str, Any]:
        """Return what a results file may hold results of; where the data lie does not matter."""
        found = asdict(self)
        del found["data"]
        return found
