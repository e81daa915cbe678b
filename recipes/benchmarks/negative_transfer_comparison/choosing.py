"""The rate that an arm trains with: the best on validation with the first seed."""

from __future__ import annotations

from collections.abc import Sequence

from tuning.lines import Lines

from negative_transfer_comparison.plan import Place

__all__ = ["chosen_rate"]


def chosen_rate(place: Place, arm: str, lines: Lines, rates: Sequence[float]) -> float | None:
    """Return the rate with the best validation accuracy, the lowest on a tie.

    Returns:
        None while a rate of the first seed is missing.
    """
    keys = {rate: place.key(arm, rate, 0) for rate in sorted(rates)}
    if any(key not in lines for key in keys.values()):
        return None
    return max(keys, key=lambda rate: lines[keys[rate]]["validation"])
