"""Checks that statistics and verdict share: a level, a margin, and scores over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.errors import ConfigError, DataError

__all__ = ["check_level", "check_margin", "finite_scores"]

Floats = NDArray[np.float64]


def check_level(confidence: float) -> None:
    """Raise a ConfigError unless the confidence lies in (0, 1)."""
    if not 0.0 < confidence < 1.0:
        raise ConfigError(
            arrived=f"confidence={confidence}",
            expected="a share between 0 and 1, such as 0.95",
            action="write 95 % as confidence=0.95",
        )


def check_margin(margin: float) -> None:
    """Raise a ConfigError unless the margin is finite and not negative."""
    if not 0.0 <= margin < float("inf"):
        raise ConfigError(
            arrived=f"margin={margin}",
            expected="the smallest difference that matters, in units of the metric, 0 or more",
            action="write one point of accuracy as margin=0.01",
        )


def finite_scores(values: Sequence[object], what: str) -> Floats:
    """Return the values as an array.

    Args:
        values: [seeds].
        what: their name, for the error.

    Raises:
        DataError: for anything but two or more finite numbers.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            arrived=f"cannot read the {what}: {error}",
            expected="one number a seed",
            action="pass a list of floats, or RunResult records",
        ) from None
    if array.ndim != 1 or len(array) < 2:
        found = f"{array.size} {what}" if array.ndim < 2 else f"{what} of shape {array.shape}"
        raise DataError(
            arrived=found,
            expected="one number a seed, from at least 2 seeds (5 are better)",
            action="run the plans with more seeds: a single one cannot show its own spread",
        )
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(
            arrived=f"{what} that are not finite: {array[place]} at position {place}",
            expected="finite numbers",
            action="look for a run that diverged, lower its rate and run that seed again",
        )
    return array
