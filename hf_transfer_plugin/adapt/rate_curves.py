"""Shapes of the learning rate within a phase: pure functions of the position in it."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["CURVES", "curve_factor"]

_SLANT = 0.1
_RATIO = 32

#: Name of a curve -> its factor on the rate at a position (0..1) after warm-up.
CURVES: dict[str, Callable[[float], float]] = {
    "constant": lambda position: 1.0,
    "linear": lambda position: 1.0 - position,
    "cosine": lambda position: 0.5 * (1.0 + math.cos(math.pi * position)),
    "slanted_triangular": lambda position: 1.0 - position * (1.0 - 1.0 / _RATIO),
}


def curve_factor(curve: str, warmup: float, step: int, steps: int) -> float:
    """Return the factor on the peak rate at one optimizer step of a phase.

    Args:
        curve: a name in `CURVES`.
        warmup: share of the phase in which the rate rises; the slanted triangle (Howard & Ruder
            2018: up from 1/32 in the first tenth, then down to 1/32) takes 0.1 when it is 0.
        step: optimizer steps of the phase made before this one.
        steps: optimizer steps of the phase.
    """
    slanted = curve == "slanted_triangular"
    rising = math.floor((warmup or (_SLANT if slanted else 0.0)) * steps)
    if step < rising:
        share = step / rising if slanted else (step + 1) / (rising + 1)
        return (1 + share * (_RATIO - 1)) / _RATIO if slanted else share
    return CURVES[curve]((step - rising) / max(steps - rising, 1))
