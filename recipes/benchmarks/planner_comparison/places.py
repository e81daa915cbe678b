"""Where the planner is held against recipes by hand: sets it was made on, and others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from how_comparison.places import Place, Target

from hf_transfer_plugin.records import DataSpec

__all__ = ["HELD_OUT", "MADE_ON", "HeldOut", "held_out_places"]

#: Where the rules were made, at rows and steps of the committed results.
MADE_ON = (
    Place("trec6", 12, 110),
    Place("trec6", 15, 250),
    Place("trec6", 30, 250),
    Place("trec6", 50, 250),
    Place("trec6", 100, 450),
    Place("tweet_emotion", 12, 110),
    Place("tweet_emotion", 100, 300),
    Place("banking77", 100, 1100),
    Place("oxford_pets37_subset", 15, 200),
    Place("oxford_pets37_subset", 30, 200),
    Place("oxford_pets37_subset", 50, 200),
    Place("oxford_pets37_subset", 100, 250),
)

_VALIDATION, _TEST = 200, 400

#: Data set -> what is known of it, percent of its training rows, optimizer steps.
HELD_OUT: dict[str, tuple[Target, int, int]] = {
    "cr": (Target("text", 2633, 2), 10, 50),
    "cats_vs_dogs": (Target("images", 3000, 2), 5, 50),
    "subj": (Target("text", 6998, 2), 4, 50),
    "digits/mnist": (Target("images", 6500, 10), 4, 50),
    "pacs/sketch": (Target("images", 2750, 7), 8, 50),
    "ag_news_subset": (Target("text", 8979, 4), 3, 50),
    "pacs/photo": (Target("images", 1170, 7), 15, 50),
    "sst2_sentences": (Target("text", 6920, 2), 4, 50),
    "pacs/cartoon": (Target("images", 1640, 7), 12, 50),
    "pacs/art_painting": (Target("images", 1433, 7), 13, 50),
}


@dataclass(frozen=True)
class HeldOut(Place):
    """A place whose data set no rule was made on; samples of validation and test rows choose."""

    @property
    def target(self) -> Target:
        """Return what is known of the data set."""
        return HELD_OUT[self.dataset][0]

    def spec(self, folder: str, max_length: int, image_size: int) -> DataSpec:
        """Return what the package reads."""
        whole = super().spec(folder, max_length, image_size)
        return replace(whole, validation_examples=_VALIDATION, test_examples=_TEST)


def held_out_places(names: Iterable[str]) -> list[HeldOut]:
    """Return the places of some data sets."""
    return [HeldOut(name, *HELD_OUT[name][1:]) for name in names]
