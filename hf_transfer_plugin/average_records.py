"""Which average of weights a plan takes, and what validation chose of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from hf_transfer_plugin.average_kinds import AVERAGES, AverageKind
from hf_transfer_plugin.named_options import (
    check_number,
    check_option,
    kind_named,
    named_options,
)
from hf_transfer_plugin.serialization import Record

__all__ = ["PLAIN", "Average", "ChosenWeights"]

#: The weights as training left them.
PLAIN = "plain"


@dataclass(frozen=True)
class Average(Record):
    """An average of weights, which a run keeps where validation finds it better.

    Attributes:
        name: a key of `average_kinds.AVERAGES`, such as "ema".
        options: numbers that replace the defaults, such as {"decay": 0.99}.

    Examples:
        >>> Average.from_config({"name": "soup", "members": 4}).settings
        {'members': 4, 'spread': 2.0}
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> AverageKind:
        """Return what is known of this kind.

        Raises:
            ConfigError: for an unknown name.
        """
        return kind_named("average", self.name, AVERAGES)

    @property
    def settings(self) -> dict[str, Any]:
        """Return every option with its value."""
        defaults = {key: option.default for key, option in self.kind.options.items()}
        return {**defaults, **self.options}

    @property
    def described(self) -> str:
        """Return name, source and options in words."""
        options = ", ".join(f"{key} {value:g}" for key, value in self.settings.items())
        return f"{self.name} ({self.kind.paper}; {options})"

    @property
    def cost(self) -> str:
        """Return what it costs beside a training, in words."""
        return self.kind.cost.format(**self.settings)

    @classmethod
    def from_config(cls, config: str | Mapping[str, Any]) -> Self:
        """Build an average from its name, or from `{name: ema, decay: 0.99}`.

        Raises:
            ConfigError: for an unknown name or option, or a value that does not fit.
        """
        example = ("ema", "decay: 0.99")
        name, options, _ = named_options("average", config, AVERAGES, example)
        return cls(name, options).checked()

    def checked(self) -> Self:
        """Return the average, once its name and its options are found right.

        Raises:
            ConfigError: naming what does not fit.
        """
        known = self.kind.options
        for key, value in self.options.items():
            check_option("average", self.name, key, known)
            low, high = known[key].low, known[key].high
            is_count = isinstance(known[key].default, int)
            check_number("average", self.name, key, value, low, high, is_count=is_count)
        return self


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
