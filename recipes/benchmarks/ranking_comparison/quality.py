"""How good an order of candidates is, held against what fine-tuning them reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata, weightedtau

__all__ = ["Quality", "mean_ranks", "order_quality", "within_noise"]


@dataclass(frozen=True)
class Quality:
    """One order on one target.

    Attributes:
        tau: weighted Kendall tau between scores and accuracies, in [-1, 1]; 0 for an order that
            is all ties.
        regret: accuracy lost by taking the first, in points; the mean over those that tie for it.
    """

    tau: float
    regret: float


def order_quality(scores: ArrayLike, accuracies: ArrayLike) -> Quality:
    """Return the quality of an order.

    Args:
        scores: [candidates], higher is better.
        accuracies: [candidates], in [0, 1].

    References:
        Vigna, "A weighted correlation index for rankings with ties" (2015).
    """
    order = np.asarray(scores, dtype=np.float64)
    reached = np.asarray(accuracies, dtype=np.float64)
    tau = float(weightedtau(order, reached).statistic)
    first = order == order.max()
    regret = 100.0 * float(reached.max() - reached[first].mean())
    return Quality(0.0 if np.isnan(tau) else tau, regret)


def mean_ranks(*scores: ArrayLike) -> NDArray[np.float64]:
    """Return the mean place of each candidate over several scores, higher is better.

    Args:
        scores: each [candidates]; equal ones share a place.
    """
    places: NDArray[np.float64] = np.mean([rankdata(each) for each in scores], axis=0)
    return places


def within_noise(hits: Sequence[ArrayLike], seed_deviation: float) -> NDArray[np.bool_]:
    """Tell which candidates cannot be told from the one that fine-tuning left best.

    A candidate is level with the best when their difference of accuracy is at most 1.64 standard
    errors (one-sided 95 %). The variance of the difference has two parts: that of the paired
    difference over test rows, divided by their number, and twice the variance between seeds,
    divided by their number.

    Args:
        hits: for each candidate [seeds, test rows], 1 where the row was right.
        seed_deviation: standard deviation of an accuracy over seeds on the same test rows.
    """
    tables = [np.atleast_2d(np.asarray(each, dtype=np.float64)) for each in hits]
    best = int(np.argmax([table.mean() for table in tables]))
    level = []
    for table in tables:
        difference = tables[best].mean(axis=0) - table.mean(axis=0)
        seeds = seed_deviation**2 * (1 / len(tables[best]) + 1 / len(table))
        variance = float(difference.var(ddof=1)) / len(difference) + seeds
        level.append(float(difference.mean()) <= float(norm.ppf(0.95)) * np.sqrt(variance))
    level[best] = True
    return np.asarray(level)
