"""Signals of help or harm that are known before anything trains; higher speaks for help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from negative_transfer_comparison.judged import JudgedPair

__all__ = ["Signal", "signals_before"]

Signal = Callable[[JudgedPair], float]


def signals_before(pairs: Sequence[JudgedPair]) -> dict[str, Signal]:
    """Return each signal of pairs that were ranked, by its name."""
    signals: dict[str, Signal] = {}
    for baseline in pairs[0].forecasts:
        signals[f"score ahead of {baseline}"] = _ahead(baseline)
        signals[f"the same, in units of its noise ({baseline})"] = _in_noise(baseline)
    signals["fewer rows, no network read"] = lambda each: -each.place.rows
    return signals


def _ahead(baseline: str) -> Signal:
    return lambda each: each.forecasts[baseline].difference


def _in_noise(baseline: str) -> Signal:
    def signal(each: JudgedPair) -> float:
        found = each.forecasts[baseline]
        if found.half_width:
            return found.difference / found.half_width
        return found.difference and inf * found.difference

    return signal
