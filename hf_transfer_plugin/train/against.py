"""What the watch of a transfer holds it against while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from hf_transfer_plugin.records import RunResult

__all__ = ["Against"]

_PROBE = "frozen-probe"


@dataclass(frozen=True)
class Against:
    """Results that were there before a transfer, for the alarms "below_control" and "below_bar".

    Attributes:
        control: whose learning curve (mean over its seeds) is held against that of each seed.
        bar: validation metric to reach, or the result of a frozen probe (mean over its seeds).
        margin: difference worth an alarm, in units of the metric.
    """

    control: RunResult | None = None
    bar: RunResult | float | None = None
    margin: float = 0.01

    @classmethod
    def of(cls, controls: Sequence[RunResult], decides: str, margin: float) -> Self:
        """Return what controls tell: the one that decides has the curve, a frozen probe the bar.

        A baseline has no curve: then a transfer is held against the bar alone, if there is one.

        Args:
            controls: results of the controls that are there.
            decides: name of the control that decides.
            margin: difference that would not matter, in units of the metric.
        """
        named = (each for each in controls if each.plan.name == decides)
        control = next((each for each in named if any(s.curve for s in each.seeds)), None)
        bar = next((each for each in controls if each.plan.name == _PROBE), None)
        return cls(control, bar, margin)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hold a run against."""
        return self.control is None and self.bar is None
