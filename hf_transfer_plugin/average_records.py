"""Which average of weights a plan takes, and what validation chose of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from hf_transfer_plugin.average_kinds import AVERAGES, AverageKind
from hf_transfer_plugin.named_options import kind_named
from hf_transfer_plugin.number_options import NumberOptions
from hf_transfer_plugin.serialization import Record

__all__ = ["PLAIN", "Average", "ChosenWeights"]

#: The weights as training left them.
PLAIN = "plain"


@dataclass(frozen=True)
class Average(NumberOptions):
    """An average of weights, which a run keeps where validation finds it better.

    Attributes:
        name: a key of `average_kinds.AVERAGES`, such as "ema".
        options: numbers that replace the defaults, such as {"decay": 0.99}.

    Examples:
        >>> Average.from_config({"name": "soup", "members": 4}).settings
        {'members': 4, 'spread': 2.0}
    """

    what: ClassVar[str] = "average"
    known: ClassVar[Mapping[str, AverageKind]] = AVERAGES
    example: ClassVar[tuple[str, str]] = ("ema", "decay: 0.99")

    @property
    def kind(self) -> AverageKind:
        """Return what is known of this kind.

        Raises:
            ConfigError: for an unknown name.
        """
        return kind_named(self.what, self.name, self.known)

    @property
    def cost(self) -> str:
        """Return what it costs beside a training, in words."""
        return self.kind.cost.format(**self.settings)


@dataclass(frozen=True)
class ChosenWeights(Record):
    """The weights that validation chose in one run; the plain ones win every tie.

    Attributes:
        chosen: a key of `scores`.
        scores: weights -> judged metric on validation: "plain", as training left them; "ema";
            "alpha 0.7", on the line from the start (0) to the plain ones (1); "member 1", another
            training of a soup; "members 0, 2", the mean of some, of which 0 is the plain one.
    """

    chosen: str
    scores: Mapping[str, float]

    @property
    def is_plain(self) -> bool:
        """Tell whether the weights are those that training left."""
        return self.chosen == PLAIN

    @property
    def plain(self) -> float:
        """Return what the plain weights reach on validation."""
        return self.scores[PLAIN]

    @property
    def reached(self) -> float:
        """Return what the chosen weights reach on validation."""
        return self.scores[self.chosen]
