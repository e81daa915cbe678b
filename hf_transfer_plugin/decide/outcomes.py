"""What an interval stands for."""

from __future__ import annotations

from hf_transfer_plugin.records import Outcome

__all__ = ["hull", "outcome_of"]

Interval = tuple[float, float]


def hull(first: Interval, second: Interval | None) -> Interval:
    """Return the interval from the lower of both lower ends to the upper of both upper ends."""
    if second is None:
        return first
    return min(first[0], second[0]), max(first[1], second[1])


def outcome_of(lower: float, upper: float, margin: float) -> Outcome:
    """Return the outcome that an interval stands for.

    Args:
        lower: lower end of transfer - control.
        upper: upper end.
        margin: smallest difference that matters, in the same units.
    """
    if lower > 0.0:
        return "helped"
    if upper < 0.0:
        return "harmed"
    if -margin < lower and upper < margin:
        return "equivalent"
    return "inconclusive"
