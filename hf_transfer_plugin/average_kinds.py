"""The kinds of averages of weights, each with its source, its options and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hf_transfer_plugin.number_options import NumberOption

__all__ = ["AVERAGES", "AverageKind"]


@dataclass(frozen=True)
class AverageKind:
    """One way to average weights.

    Attributes:
        paper: where the method comes from.
        holds: what is averaged, in a few words.
        options: option -> what it may be.
        cost: beside the training itself; braces hold names of options.
        needs_start: it goes back to the weights with which the last phase of the schedule began.
        more_trainings: each seed is trained several times.
    """

    paper: str
    holds: str
    options: Mapping[str, NumberOption]
    cost: str
    needs_start: bool = False
    more_trainings: bool = False


AVERAGES: Mapping[str, AverageKind] = MappingProxyType(
    {
        "wise_ft": AverageKind(
            "WiSE-FT, Wortsman et al. 2022",
            "points on the line from the weights with which the last phase began to those at "
            "its end",
            {"steps": NumberOption(10, 2, 100)},
            "a copy of the weights in memory, and {steps:g} passes over the validation rows",
            needs_start=True,
        ),
        "ema": AverageKind(
            "exponential moving average of the weights, Polyak & Juditsky 1992",
            "the weights after every optimizer step, later ones weighing more",
            {"decay": NumberOption(0.999, 0.0, 1.0)},
            "a copy of what trains in memory, its update after each step, and one pass over the "
            "validation rows",
        ),
        "soup": AverageKind(
            "greedy model soup, Wortsman et al. 2022",
            "trainings that begin with the same weights, and differ in the order of rows, "
            "dropout and rate",
            {"members": NumberOption(3, 2, 20), "spread": NumberOption(2.0, 1.0, 100.0)},
            "{members:g} trainings for each seed, so {members:g} times the steps above, and up "
            "to {members:g} passes over the validation rows",
            more_trainings=True,
        ),
    }
)
