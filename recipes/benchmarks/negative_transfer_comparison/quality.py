"""How good a forecast of help or harm is."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

__all__ = ["auroc", "precision_recall"]


def auroc(scores: ArrayLike, helped: ArrayLike) -> float:
    """Return how often a pair that helped has the higher score than one that harmed; ties half.

    Args:
        scores: [pairs], higher forecasts help.
        helped: [pairs], False where transfer harmed.

    Returns:
        A share in [0, 1]; nan where one of the two never happened.
    """
    good = np.asarray(helped, dtype=bool)
    places = rankdata(np.asarray(scores, dtype=np.float64))
    first, second = int(good.sum()), int((~good).sum())
    if not first or not second:
        return nan
    return float((places[good].sum() - first * (first + 1) / 2) / (first * second))


def precision_recall(said: Sequence[bool], true: Sequence[bool]) -> tuple[float, float]:
    """Return the share of what was said that is true, and of what is true that was said.

    Returns:
        nan where nothing was said, or nothing is true.
    """
    both = sum(word and fact for word, fact in zip(said, true, strict=True))
    return (both / sum(said) if any(said) else nan, both / sum(true) if any(true) else nan)
