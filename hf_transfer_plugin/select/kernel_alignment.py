"""Similarity of two sets of features of the same examples, fair to few examples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.score_inputs import Floats, checked_table

__all__ = ["debiased_cka"]

_FEWEST = 4


def debiased_cka(first: ArrayLike, second: ArrayLike) -> float:
    """Return linear centred kernel alignment with an unbiased estimate of each term.

    Plain linear CKA comes near 1 for unrelated features as soon as there are fewer examples than
    features; this one is about 0 for them, and may lie a little below.

    Args:
        first: [examples, features].
        second: [the same examples, other features].

    Returns:
        1 for features that are equal up to rotation and scale; NaN where one of them is constant.

    Raises:
        DataError: for tables of different examples, or of fewer than four.

    References:
        Kornblith et al., "Similarity of Neural Network Representations Revisited" (2019); Song et
        al., "Feature Selection via Dependence Maximization" (2012), for the estimator; Nguyen et
        al., "Do Wide and Deep Networks Learn the Same Things?" (2021), for CKA with it.
    """
    one, other = (checked_table(each, "debiased_cka") for each in (first, second))
    if len(one) != len(other) or len(one) < _FEWEST:
        raise DataError(
            arrived=f"debiased_cka got {len(one)} and {len(other)} rows of features",
            expected=f"two tables of the same examples, at least {_FEWEST}",
            action="compute both features on the same rows",
        )
    kernels = [_kernel(each) for each in (one, other)]
    shared = _dependence(*kernels)
    own = [_dependence(each, each) for each in kernels]
    if min(own) <= 0.0:
        return math.nan
    return min(shared / math.sqrt(own[0] * own[1]), 1.0)


def _kernel(table: Floats) -> Floats:
    """Return the inner products of all pairs of rows, the diagonal empty: [examples, examples]."""
    # The estimator is the same for centred rows, and these lose fewer digits.
    table = table - table.mean(axis=0)
    scale = float(np.abs(table).max())
    table = table / scale if scale else table
    kernel: Floats = table @ table.T
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _dependence(one: Floats, other: Floats) -> float:
    """Return the unbiased estimate of the Hilbert-Schmidt independence criterion."""
    rows = len(one)
    sums = one.sum(axis=0), other.sum(axis=0)
    total = float(np.sum(one * other))
    total += float(sums[0].sum() * sums[1].sum()) / ((rows - 1) * (rows - 2))
    total -= 2.0 * float(sums[0] @ sums[1]) / (rows - 2)
    return total / (rows * (rows - 3))
