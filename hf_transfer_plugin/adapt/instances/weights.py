"""Weights of source rows, and how many rows they leave in effect."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.errors import DataError

__all__ = ["Floats", "InstanceWeights", "effective_sample_size", "weights_of"]

Floats = NDArray[np.float64]

FEWEST = 20
LEAST_SHARE = 0.02
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstanceWeights:
    """How much each source row counts.

    Attributes:
        values: [source rows], from 0, with mean 1.
        method: what gave them.
        effective_size: rows that weigh as much together, see `effective_sample_size`.
        details: name -> number: what the method chose and found.
        findings: what speaks against them, in plain words.
    """

    values: Floats
    method: str
    effective_size: float
    details: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    def most(self, count: int) -> list[int]:
        """Return the numbers of the rows with the largest weights, largest first."""
        return [int(row) for row in np.argsort(-self.values, kind="stable")[:count]]

    def least(self, count: int) -> list[int]:
        """Return the numbers of the rows with the smallest weights, smallest first."""
        return [int(row) for row in np.argsort(self.values, kind="stable")[:count]]


def effective_sample_size(weights: ArrayLike) -> float:
    """Return (sum w)^2 / sum w^2: n for equal weights, 1 where a single row counts.

    Args:
        weights: [rows], from 0, at least one above.

    Raises:
        DataError: for weights that are negative, not finite or all zero.

    References:
        Kish, "Survey Sampling" (1965).
    """
    values = checked_weights(weights)
    return float(values.sum() ** 2 / np.square(values).sum())


def checked_weights(weights: ArrayLike) -> Floats:
    """Return weights [rows] in float64, scaled so that the largest is 1."""
    values = np.asarray(weights, dtype=np.float64)
    fits = values.ndim == 1 and values.size > 0 and bool(np.isfinite(values).all())
    if not fits or values.min() < 0 or values.max() == 0:
        raise DataError(
            arrived=f"weights of shape {values.shape}, from {_end(values, 'min')} to "
            f"{_end(values, 'max')}",
            expected="one finite number from 0 for each row, at least one above 0",
            action="pass the weights of density_ratio_weights or kernel_mean_matching_weights",
        )
    scaled: Floats = values / values.max()
    return scaled


def _end(values: Floats, which: str) -> str:
    return f"{getattr(np, which)(values):g}" if values.size else "nothing"


def weights_of(
    method: str,
    weights: ArrayLike,
    details: Mapping[str, float] | None = None,
    findings: tuple[str, ...] = (),
) -> InstanceWeights:
    """Return weights scaled to a mean of 1; says and logs when few rows are left in effect."""
    values = checked_weights(weights)
    size = effective_sample_size(values)
    if size < max(FEWEST, LEAST_SHARE * len(values)):
        findings += (
            f"{method}: {len(values)} source rows count as {size:.1f}; what is learned from them "
            "rests on few rows (flatten the weights, or leave the source out)",
        )
    for finding in findings:
        _log.warning("%s", finding)
    return InstanceWeights(values / values.mean(), method, size, details or {}, findings)
