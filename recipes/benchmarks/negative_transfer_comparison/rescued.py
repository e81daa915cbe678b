"""Lines of a results file as rescues, each beside the better of transfer and control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.lines import Lines

from hf_transfer_plugin.records import Outcome
from negative_transfer_comparison.judged import JudgedPair

__all__ = ["RescuedPair", "rescued_pairs"]


@dataclass(frozen=True)
class RescuedPair:
    """One ladder.

    Attributes:
        outcome: of the verdict that began it.
        rung: where it ended; "go" when nothing had to be rescued.
        gain: test accuracy of what was returned, above the better of transfer and control.
    """

    outcome: Outcome
    rung: str
    gain: float


def rescued_pairs(pairs: Sequence[JudgedPair], lines: Lines) -> list[RescuedPair]:
    """Return the pairs whose ladder was climbed."""
    found = []
    for pair in pairs:
        key = pair.place.rescue_key(pair.source)
        if key not in lines:
            continue
        each = lines[key]
        transfer, control = each["transfer"], each["control"]
        returned = transfer if each["go"] else control
        if each["rescued"] is not None:
            returned = each["rescued"][0]
        rung = "go" if each["go"] else each["rung"]
        found.append(RescuedPair(each["outcome"], rung, returned - max(transfer, control)))
    return found
