"""How far two sets of features lie apart: proxy A-distance, MMD, linear CKA, a transfer bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.linear_probes import held_out_classes
from hf_transfer_plugin.select.score_inputs import Floats, centred, checked_table

__all__ = [
    "MeanDiscrepancy",
    "TransferBound",
    "linear_cka",
    "mmd",
    "proxy_a_distance",
    "transfer_bound",
]

KERNELS = 5  # variances 1/8, 1/4, 1/2, 1 and 2 times the mean squared distance
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class MeanDiscrepancy:
    """Maximum mean discrepancy of two samples.

    Attributes:
        squared: unbiased estimate of the squared discrepancy: about 0 (and as often below) for
            one distribution, 2 at most.
        p_value: share of random divisions of the same rows that are at least as far apart.
    """

    squared: float
    p_value: float


@dataclass(frozen=True)
class TransferBound:
    """What the error on the target may come to, of a classifier learned on the source.

    Attributes:
        source_error: share of held-out source examples that are wrong, in [0, 1].
        half_distance: half the proxy A-distance, in [0, 1].
        total: their sum; 1 and more says nothing.
    """

    source_error: float
    half_distance: float

    @property
    def total(self) -> float:
        """Return the sum of the parts."""
        return self.source_error + self.half_distance


def proxy_a_distance(
    source: ArrayLike, target: ArrayLike, *, folds: int = 5, seed: int = 0
) -> float:
    """Proxy A-distance: how well a held-out linear classifier tells two domains apart.

    2 (1 - 2 error) of a cross-validated logistic regression on standardised features. Both
    domains weigh the same, in the fit and in the error, whatever their numbers of examples.

    Args:
        source: [examples, features].
        target: [other examples, features]; at least two examples each.
        folds: at least 2; as many as the smaller domain has examples at most.
        seed: of the folds.

    Returns:
        Between 0 (cannot be told apart; cut there) and 2 (every held-out example is told).

    Raises:
        DataError: for tables that cannot be compared, or fewer than two folds.

    References:
        Ben-David et al., "Analysis of Representations for Domain Adaptation" (2007); "A theory of
        learning from different domains" (2010).
    """
    one, other = _pair(source, target, "proxy_a_distance")
    domains = np.repeat([0, 1], [len(one), len(other)])
    named = held_out_classes(
        np.vstack([one, other]),
        domains,
        folds=folds,
        seed=seed,
        score="proxy_a_distance",
        equal_classes=True,
    )
    error = float(np.mean([np.mean(named[domains == domain] != domain) for domain in (0, 1)]))
    return float(np.clip(2.0 * (1.0 - 2.0 * error), 0.0, 2.0))


def mmd(
    source: ArrayLike, target: ArrayLike, *, permutations: int = 200, seed: int = 0
) -> MeanDiscrepancy:
    """Maximum mean discrepancy (unbiased, squared) with a permutation test.

    The kernel is the mean of five Gaussians whose variances are 1/8, 1/4, 1/2, 1 and 2 times the
    mean squared distance between two rows of both samples together, so the scale of the features
    does not matter. Memory grows with the square of the rows: 1,000 rows in all take about 25 MB,
    10,000 about 2.5 GB.

    Args:
        source: [examples, features].
        target: [other examples, features]; at least two examples each.
        permutations: random divisions that the discrepancy is compared with.
        seed: of the divisions.

    Returns:
        The discrepancy and its p-value, at least 1 / (permutations + 1).

    Raises:
        DataError: for tables that cannot be compared.

    References:
        Gretton et al., "A Kernel Two-Sample Test" (2012); Long et al., "Learning Transferable
        Features with Deep Adaptation Networks" (2015), for the kernels.
    """
    one, other = _pair(source, target, "mmd")
    kernel = _kernel(np.vstack([one, other]))
    members = np.zeros((len(kernel), permutations + 1))
    members[: len(one), 0] = 1.0
    rng = np.random.default_rng(seed)
    for draw in range(1, permutations + 1):
        members[rng.permutation(len(kernel))[: len(one)], draw] = 1.0
    squared = _discrepancies(kernel, members, len(one), len(other))
    # Rounding must not tell equal divisions apart.
    as_far = int(np.sum(squared[1:] >= squared[0] - 1e-12))
    return MeanDiscrepancy(float(squared[0]), (1 + as_far) / (1 + permutations))


def linear_cka(one: ArrayLike, other: ArrayLike) -> float:
    """Linear centred kernel alignment of two feature tables of the same examples.

    It grows with the width when there are few examples: compare values of equal numbers of
    examples and equal widths.

    Args:
        one: [examples, features].
        other: [examples, other features], the same examples in the same order.

    Returns:
        Between 0 and 1; 1 when a rotation, a scale and an offset turn one into the other, 0 when
        a table is constant.

    Raises:
        DataError: for a wrong shape, values that are not finite, numbers of examples that differ.

    References:
        Kornblith et al., "Similarity of Neural Network Representations Revisited" (2019).
    """
    first, second = (checked_table(each, "linear_cka") for each in (one, other))
    if len(first) != len(second):
        raise DataError(
            arrived=f"linear_cka got {len(first)} and {len(second)} rows of features",
            expected="two tables of the same examples, in the same order",
            action="compute both features on the same rows",
        )
    first, second = (_unit(centred(each)) for each in (first, second))
    if len(first) < max(first.shape[1], second.shape[1]):
        grams = first @ first.T, second @ second.T
        shared = float(np.sum(grams[0] * grams[1]))
        own = [float(np.linalg.norm(gram)) for gram in grams]
    else:
        shared = float(np.linalg.norm(second.T @ first)) ** 2
        own = [float(np.linalg.norm(each.T @ each)) for each in (first, second)]
    return min(shared / max(own[0] * own[1], TINY), 1.0)


def transfer_bound(source_error: float, a_distance: float) -> TransferBound:
    """Error on the source plus half the distance between the domains.

    The theorem has a third term, the error of the one classifier that does best on both domains
    together. It cannot be computed without labels of the target and is left out, and the proxy
    A-distance stands for the distance of the theorem: the total is an estimate of what a classifier
    learned on the source may cost, no guarantee, and means something for equal classes only.

    Args:
        source_error: in [0, 1].
        a_distance: of `proxy_a_distance`, in [0, 2].

    Raises:
        DataError: for values outside these ranges.

    References:
        Ben-David et al., "A theory of learning from different domains" (2010), theorem 2.
    """
    if not (0.0 <= source_error <= 1.0 and 0.0 <= a_distance <= 2.0):
        raise DataError(
            arrived=f"transfer_bound got source_error={source_error} and a_distance={a_distance}",
            expected="an error in [0, 1] and a distance in [0, 2]",
            action="take 1 - linear_probe_accuracy on the source, and proxy_a_distance",
        )
    return TransferBound(source_error, a_distance / 2.0)


def _pair(source: ArrayLike, target: ArrayLike, score: str) -> tuple[Floats, Floats]:
    """Return both tables in float64, at most 1 in size, and offsets taken off."""
    one, other = (checked_table(each, score) for each in (source, target))
    if one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise DataError(
            arrived=f"{score} got features of shapes {one.shape} and {other.shape}",
            expected="two tables of equal width, with at least two examples each",
            action="take both from the same layer of one checkpoint",
        )
    both = _unit(centred(np.vstack([one, other])))
    return both[: len(one)], both[len(one) :]


def _unit(table: Floats) -> Floats:
    """Return the table with its largest value at 1, so that no square leaves float64."""
    return table / max(float(np.abs(table).max()), TINY)


def _kernel(table: Floats) -> Floats:
    """Return the kernel of all pairs of rows with an empty diagonal: [rows, rows]."""
    squares = np.sum(table**2, axis=1)
    distances: Floats = np.maximum(squares[:, None] + squares - 2.0 * (table @ table.T), 0.0)
    np.fill_diagonal(distances, 0.0)
    rows = len(table)
    mean = float(distances.sum()) / (rows * (rows - 1))
    widest: Floats = np.exp(distances / -(4.0 * max(mean, TINY)))
    kernel = widest.copy()
    for _ in range(KERNELS - 1):  # half the variance squares the kernel
        widest *= widest
        kernel += widest
    np.fill_diagonal(kernel, 0.0)
    kernel /= KERNELS
    return kernel


def _discrepancies(kernel: Floats, members: Floats, one: int, other: int) -> Floats:
    """Return the squared discrepancy of each division: members [rows, divisions] of 0 and 1."""
    sums = kernel.sum(axis=1)
    within = np.sum(members * (kernel @ members), axis=0)
    across = sums @ members - within
    rest = sums.sum() - 2.0 * across - within
    squared: Floats = within / (one * (one - 1)) + rest / (other * (other - 1))
    squared -= 2.0 * across / (one * other)
    return squared
