"""Weights under which the source has the target's mean in a kernel's feature space."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.adapt.instances.tables import domain_tables
from hf_transfer_plugin.adapt.instances.weights import Floats, InstanceWeights, weights_of
from hf_transfer_plugin.errors import ConfigError, DataError

__all__ = ["kernel_mean_matching_weights"]

MOST_ROWS = 20_000  # 3.2 GB of kernel
STEPS = 20_000
LOOK = 25  # steps between two looks at the gap
HALVINGS = 60


def kernel_mean_matching_weights(
    source: ArrayLike,
    target: ArrayLike,
    *,
    bound: float = 1000.0,
    epsilon: float | None = None,
    width: float | None = None,
    tolerance: float = 1e-4,
) -> InstanceWeights:
    """Weigh source rows so that their mean in feature space is that of the target.

    Minimises 1/2 b'Kb - k'b over 0 <= b <= bound and |mean(b) - 1| <= epsilon, where K is the
    Gaussian kernel among source rows and k_i = n_source / n_target times the sum of the kernel
    between row i and the target rows. No density is estimated. The quadratic program is solved by
    accelerated projected gradient (Beck & Teboulle 2009) and ends by the duality gap of
    Frank & Wolfe, so the answer is within `tolerance` of the best.

    Memory grows with the square of the source rows: 2,000 take 32 MB, 10,000 0.8 GB.

    Args:
        source: [rows, features]; at most 20,000 rows.
        target: [other rows, features]; no labels are read.
        bound: largest weight before scaling (B); a small one keeps more rows in effect.
        epsilon: how far the mean weight may be from 1; None: (sqrt(n) - 1) / sqrt(n).
        width: standard deviation of the kernel; None: the median distance of two rows of both
            domains, on features standardised over both.
        tolerance: of the squared mean discrepancy, which lies between 0 and 2. Chance alone gives
            about 1 / n; a closer match fits that chance, with spiky weights.

    Returns:
        Weights scaled to a mean of 1. Details: "discrepancy" and "discrepancy_unweighted", squared
        and biased, with and without the weights; "width"; "gap".

    Raises:
        DataError: for tables that cannot be compared, or too many rows.
        ConfigError: for a bound, epsilon, width or tolerance out of range.

    References:
        Huang et al., "Correcting Sample Selection Bias by Unlabeled Data" (2007).
    """
    one, other = _standardised(*domain_tables(source, target, "kernel_mean_matching_weights"))
    rows = len(one)
    if rows > MOST_ROWS:
        raise DataError(
            arrived=f"kernel_mean_matching_weights got {rows:,} source rows",
            expected=f"at most {MOST_ROWS:,}: the kernel holds the square of them",
            action="draw fewer source rows, or take density_ratio_weights",
        )
    epsilon = 1.0 - rows**-0.5 if epsilon is None else epsilon
    width = _median_distance(one, other) if width is None else width
    _check_options(bound, epsilon, width, tolerance)
    kernel = _gaussian(one, one, width)
    pull = rows * _gaussian(one, other, width).mean(axis=1)
    constant = float(_gaussian(other, other, width).mean())
    region = _Region(bound, rows * max(0.0, 1.0 - epsilon), rows * (1.0 + epsilon))
    weights, gap = _solve(kernel, pull, region, tolerance * rows**2 / 2)

    def discrepancy(values: Floats) -> float:
        squared = values @ (kernel @ values - 2 * pull) / rows**2 + constant
        return max(0.0, float(squared))

    details = {
        "discrepancy": discrepancy(weights),
        "discrepancy_unweighted": discrepancy(np.ones(rows)),
        "width": width,
        "gap": 2 * gap / rows**2,
    }
    findings: tuple[str, ...] = ()
    if details["gap"] > tolerance:
        findings = (
            f"mean-matching: ended {details['gap']:.1e} from the best at most, not {tolerance:.1e}",
        )
    return weights_of("mean-matching", weights, details, findings)


class _Region:
    """The weights that are allowed: between 0 and `bound`, their sum between `low` and `high`."""

    def __init__(self, bound: float, low: float, high: float) -> None:
        self.bound, self.low, self.high = bound, low, high

    def nearest(self, point: Floats) -> Floats:
        """Return the allowed weights that are closest to a point [rows]."""
        inside = np.clip(point, 0.0, self.bound)
        wanted = float(np.clip(inside.sum(), self.low, self.high))
        if wanted == inside.sum():
            return inside
        # The sum falls as the shift grows, from all at the bound to none.
        low, high = float(point.min()) - self.bound, float(point.max())
        for _ in range(HALVINGS):
            shift = (low + high) / 2
            over = np.clip(point - shift, 0.0, self.bound).sum() > wanted
            low, high = (shift, high) if over else (low, shift)
        return np.clip(point - high, 0.0, self.bound)

    def gap(self, weights: Floats, gradient: Floats) -> float:
        """Return how far the objective may be above its least value at most."""
        order = np.sort(gradient)
        # The least value of gradient'b: fill the smallest entries up to the bound; beyond the
        # least sum only those that are negative.
        sums = np.clip(np.arange(len(order) + 1) * self.bound, 0.0, self.high)
        filled = np.diff(sums)
        needed = np.diff(np.clip(sums, 0.0, self.low))
        least = np.where(order < 0, filled, needed) @ order
        return float(gradient @ weights - least)


def _solve(kernel: Floats, pull: Floats, region: _Region, wanted: float) -> tuple[Floats, float]:
    """Minimise 1/2 b'Kb - pull'b in a region; return b [rows] and its duality gap."""
    largest = float(np.abs(kernel).sum(axis=1).max())  # bounds the largest eigenvalue
    weights = region.nearest(np.ones(len(pull)))
    ahead, momentum, gap = weights, 1.0, np.inf
    for step in range(STEPS):
        gradient = kernel @ ahead - pull
        moved = region.nearest(ahead - gradient / largest)
        if (ahead - moved) @ (moved - weights) > 0:
            momentum = 1.0  # the momentum points uphill: start anew (O'Donoghue & Candes 2015)
        following = (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5) / 2
        ahead = moved + (momentum - 1.0) / following * (moved - weights)
        weights, momentum = moved, following
        if step % LOOK == LOOK - 1:
            gap = region.gap(weights, kernel @ weights - pull)
            if gap <= wanted:
                break
    return weights, gap


def _standardised(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    both = np.vstack([one, other])
    spread = both.std(axis=0)
    spread[spread == 0] = 1.0
    both = (both - both.mean(axis=0)) / spread
    return both[: len(one)], both[len(one) :]


def _squared_distances(one: Floats, other: Floats) -> Floats:
    squares = np.square(one).sum(1)[:, None] + np.square(other).sum(1) - 2 * one @ other.T
    found: Floats = np.maximum(squares, 0.0)
    return found


def _gaussian(one: Floats, other: Floats, width: float) -> Floats:
    found: Floats = np.exp(-_squared_distances(one, other) / (2 * width**2))
    return found


def _median_distance(one: Floats, other: Floats, most: int = 1000) -> float:
    """Return the median distance of two different rows, of at most `most` of each domain."""
    steps = [max(1, -(-len(table) // most)) for table in (one, other)]
    both = np.vstack([one[:: steps[0]], other[:: steps[1]]])
    distances = _squared_distances(both, both)[np.triu_indices(len(both), 1)]
    return float(np.sqrt(np.median(distances))) or 1.0


def _check_options(bound: float, epsilon: float, width: float, tolerance: float) -> None:
    for name, value, fits, expected in (
        ("bound", bound, bound >= 1, "at least 1, or no weights have a mean of 1"),
        ("epsilon", epsilon, epsilon >= 0, "0 or more"),
        ("width", width, width > 0, "a number above 0"),
        ("tolerance", tolerance, tolerance > 0, "a number above 0"),
    ):
        if not fits:
            raise ConfigError(
                arrived=f"kernel_mean_matching_weights got {name}={value:g}",
                expected=expected,
                action=f"leave {name} out for its default",
            )
