"""Intervals for the difference of two plans, over seeds and over test examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.decide.checks import check_level, finite_scores
from hf_transfer_plugin.errors import ConfigError, DataError

__all__ = [
    "item_bootstrap_interval",
    "paired_t_interval",
    "student_half_width",
    "unpaired_t_interval",
]


def paired_t_interval(differences: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's interval for the mean of paired differences.

    When all differences are equal their spread is zero and so is the width of the interval: it
    then says nothing about the next seed, and `item_bootstrap_interval` has to carry the
    uncertainty.

    Args:
        differences: [seeds], transfer - control with the same seed; at least two.
        confidence: in (0, 1).

    Returns:
        Lower and upper end, in units of the metric.

    Raises:
        DataError: for fewer than two differences, or one that is not finite.
        ConfigError: for a confidence outside (0, 1).

    References:
        Student, "The Probable Error of a Mean" (1908).
    """
    check_level(confidence)
    values = finite_scores(differences, "differences")
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return _around(float(values.mean()), error, len(values) - 1.0, confidence)


def unpaired_t_interval(
    transfer: Sequence[float], control: Sequence[float], confidence: float
) -> tuple[float, float]:
    """Welch's interval for the difference of two means, whose variances may differ.

    Args:
        transfer: [seeds of transfer]; at least two.
        control: [seeds of control]; at least two, as many as transfer or not.
        confidence: in (0, 1).

    Returns:
        Lower and upper end of mean(transfer) - mean(control); they coincide when neither varies.

    Raises:
        DataError: for fewer than two scores, or one that is not finite.
        ConfigError: for a confidence outside (0, 1).

    References:
        Welch, "The generalization of Student's problem when several different population
        variances are involved" (1947).
    """
    check_level(confidence)
    first = finite_scores(transfer, "scores of transfer")
    second = finite_scores(control, "scores of the control")
    difference = float(first.mean() - second.mean())
    parts = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    total = sum(parts)
    if total == 0.0:
        return difference, difference
    shares = [part / total for part in parts]
    freedom = 1.0 / (shares[0] ** 2 / (len(first) - 1) + shares[1] ** 2 / (len(second) - 1))
    return _around(difference, float(np.sqrt(total)), freedom, confidence)


def item_bootstrap_interval(
    correct_transfer: ArrayLike,
    correct_control: ArrayLike,
    confidence: float,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap, over test examples, of the difference in mean accuracy.

    Seeds stay as they are; test examples are drawn anew, each with all its predictions, so the
    pairing of both plans on an example is kept. An example enters only through its difference in
    accuracy, which takes few values: drawing how often each value occurs is the same draw at a
    cost that does not grow with the examples.

    Args:
        correct_transfer: [seeds, items], true where the prediction is right.
        correct_control: [seeds, items], same items; the number of seeds may differ.
        confidence: in (0, 1).
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        Lower and upper end. They coincide when no item differs (both plans predict alike).

    Raises:
        DataError: for wrong shapes, or items that differ in number.
        ConfigError: for a confidence outside (0, 1), or fewer than one draw.

    References:
        Efron, "Bootstrap Methods: Another Look at the Jackknife" (1979).
    """
    check_level(confidence)
    if draws < 1:
        raise ConfigError(
            arrived=f"draws={draws}",
            expected="at least 1 bootstrap sample, 10,000 for stable ends",
            action="leave draws out",
        )
    first, second = _correct(correct_transfer, "transfer"), _correct(correct_control, "control")
    if first.shape[1] != second.shape[1]:
        raise DataError(
            arrived=f"{first.shape[1]} test items of transfer, {second.shape[1]} of the control",
            expected="the same test items in the same order",
            action="evaluate both plans on one test split",
        )
    scale = len(first) * len(second)
    whole = first.sum(axis=0) * len(second) - second.sum(axis=0) * len(first)
    values, counts = np.unique(whole, return_counts=True)
    items = len(whole)
    drawn = np.random.default_rng(seed).multinomial(items, counts / items, size=draws)
    means = drawn @ values / (scale * items)
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(means, [tail, 1.0 - tail])
    return float(lower), float(upper)


def student_half_width(error: float, freedom: float, confidence: float) -> float:
    """Return half the width of Student's two-sided interval.

    Args:
        error: standard error of the estimate.
        freedom: degrees of freedom.
        confidence: in (0, 1).
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1.0 + confidence) / 2.0)) * float(error)


def _around(centre: float, error: float, freedom: float, confidence: float) -> tuple[float, float]:
    half = student_half_width(error, freedom, confidence)
    return centre - half, centre + half


def _correct(values: ArrayLike, plan: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 2 or 0 in array.shape or not np.isin(array, (0, 1)).all():
        raise DataError(
            arrived=f"an array of shape {array.shape} and type {array.dtype} for {plan}",
            expected="[seeds, items], true or 1 where a prediction is right",
            action="compare predictions with labels: predictions == labels[None, :]",
        )
    return array.astype(np.int64)
