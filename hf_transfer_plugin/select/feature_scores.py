"""Scores computed from features and labels in closed form: LogME, H-score, GBC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.select.score_inputs import (
    Floats,
    Integers,
    centred,
    checked,
    principal_components,
)
from hf_transfer_plugin.select.target_inputs import TargetKind, checked_columns, kind_of

__all__ = ["gbc", "h_score", "logme"]

FIXED_POINT_STEPS = 11
FIXED_POINT_TOLERANCE = 1e-3
BLOCK_EXAMPLES = 8192
GBC_COMPONENTS = 64
GBC_VARIANCE_FLOOR = 1e-4
TINY = float(np.finfo(np.float64).tiny)


def logme(features: ArrayLike, labels: ArrayLike, *, target: TargetKind | None = None) -> float:
    """Logarithm of maximum evidence: how well a Bayesian linear model explains the labels.

    The weights' prior counts over the rank k of the features, not over their dimensions, so that
    scores stay comparable when there are fewer examples than dimensions.

    Examples:
        >>> logme(features, labels)  # features [500, 384], labels [500]
        0.41

    Args:
        features: [examples, features]; not centred, and the scale matters.
        labels: [examples], integers or strings; or [examples, labels] of 0 and 1; or real numbers
            [examples, targets], of which the scale matters. A column without variation is left
            out.
        target: "classes", "labels" or "values"; None tells by the shape and the numbers, see
            `target_inputs.kind_of`. Real numbers on one axis need "values".

    Returns:
        Mean over classes, labels or targets of the log evidence per example, in nats; higher is
        better. Features of noise give about the value of features that are all zero.

    Raises:
        DataError: see `score_inputs.checked` and `target_inputs`.

    References:
        You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer Learning"
        (2021).
    """
    kind = kind_of(labels, "logme", target)
    if kind == "classes":
        table, classes = checked(features, labels, "logme")
        squares = np.bincount(classes).astype(np.float64)
        one_hot = np.eye(len(squares))
        core, targets = _reduced(table, lambda rows: one_hot[classes[rows]], len(squares))
    else:
        table, columns = checked_columns(features, labels, "logme", kind)
        squares = np.sum(columns**2, axis=0)
        core, targets = _reduced(table, lambda rows: columns[rows], len(squares))
    left, singular, _ = np.linalg.svd(core, full_matrices=False)
    cutoff = singular[0] * max(table.shape) * np.finfo(np.float64).eps
    rank = int(np.sum(singular > max(cutoff, 1e-150)))
    spectrum = singular[:rank] ** 2
    projected = (left[:, :rank].T @ targets) ** 2
    remainder = np.maximum(squares - projected.sum(axis=0), 0.0)
    return float(
        np.mean(
            [
                _evidence(spectrum, projected[:, c], float(remainder[c]), len(table))
                for c in range(len(squares))
            ]
        )
    )


def h_score(features: ArrayLike, labels: ArrayLike) -> float:
    """Regularised H-score: variance between classes, in units of the whole variance.

    The covariance is shrunk as Ledoit and Wolf propose; the plain score saturates at
    classes - 1 for noise too once the dimensions come near the number of examples.

    Args:
        features: [examples, features]; any rotation and any scale give the same score.
        labels: [examples], integers or strings.

    Returns:
        Between 0 (class means coincide, or constant features) and classes - 1.

    Raises:
        DataError: see `score_inputs.checked`.

    References:
        Bao et al., "An Information-Theoretic Approach to Transferability in Task Transfer
        Learning" (2019); Ibrahim et al., "Newer is not always better: Rethinking
        transferability metrics, their peculiarities, stability and performance" (2022).
    """
    from sklearn.covariance import ledoit_wolf

    table, classes = checked(features, labels, "h_score")
    moved = centred(table)
    largest = float(np.abs(moved).max())
    if largest == 0.0:
        return 0.0
    moved /= largest  # fourth powers follow
    covariance, shrinkage = ledoit_wolf(moved, assume_centered=True)
    counts = np.bincount(classes).astype(np.float64)
    # The covariance of the class-mean matrix is between.T @ between.
    between = _class_means(moved, classes, counts) * np.sqrt(counts / len(moved))[:, None]
    variances, axes = np.linalg.eigh(np.atleast_2d(covariance))
    kept = variances > variances[-1] * len(variances) * np.finfo(np.float64).eps
    along = between @ axes[:, kept]
    return float((1.0 - shrinkage) * np.sum(along**2 / variances[kept]))


def gbc(features: ArrayLike, labels: ArrayLike) -> float:
    """Gaussian Bhattacharyya coefficient: how little the classes overlap.

    Each class is a Gaussian with diagonal covariance on the 64 leading principal components;
    variances are at least 1e-4, so the scale of the features matters.

    Args:
        features: [examples, features].
        labels: [examples], integers or strings.

    Returns:
        Minus the sum of the coefficients over unordered pairs of classes: 0 when no classes
        overlap, -classes * (classes - 1) / 2 when all coincide.

    Raises:
        DataError: see `score_inputs.checked`.

    References:
        Pandy et al., "Transferability Estimation using Bhattacharyya Class Separability" (2022).
    """
    table, classes = checked(features, labels, "gbc")
    reduced = principal_components(table, most=GBC_COMPONENTS)
    counts = np.bincount(classes).astype(np.float64)
    means = _class_means(reduced, classes, counts)
    spread = _class_means((reduced - means[classes]) ** 2, classes, counts)
    variances = np.maximum(spread, GBC_VARIANCE_FLOOR)
    logs = np.log(variances).sum(axis=1)
    overlap = 0.0
    for c in range(len(counts) - 1):
        shared = (variances[c] + variances[c + 1 :]) / 2.0
        apart = ((means[c] - means[c + 1 :]) ** 2 / shared).sum(axis=1) / 8.0
        unlike = (np.log(shared).sum(axis=1) - (logs[c] + logs[c + 1 :]) / 2.0) / 2.0
        overlap += float(np.exp(-(apart + unlike)).sum())
    return 0.0 - overlap


def _evidence(spectrum: Floats, projected: Floats, remainder: float, examples: int) -> float:
    """Log evidence per example of one class, at the fixed point of alpha and beta.

    Args:
        spectrum: [rank], squared singular values.
        projected: [rank], squared projections of the target on the left singular vectors.
        remainder: squared length of the target outside their span.
        examples: number of examples.
    """
    rank = len(spectrum)
    alpha = beta = 1.0
    misfit, size = remainder, 0.0
    for _ in range(FIXED_POINT_STEPS):
        before = alpha / beta
        explained = spectrum / (spectrum + before)
        missed = before / (spectrum + before)
        size = float(np.sum(explained * (projected / (spectrum + before))))
        misfit = float(np.sum(projected * missed**2)) + remainder
        alpha = max(float(explained.sum()) / (size + 1e-5), TINY)
        # examples - gamma, written so that it keeps its digits when rank = examples
        beta = max((examples - rank + float(missed.sum())) / (misfit + 1e-5), TINY)
        if abs(alpha / beta - before) <= FIXED_POINT_TOLERANCE * before:
            break
    total = rank * np.log(alpha) + examples * np.log(beta)
    total -= float(np.sum(np.log(alpha + beta * spectrum)))
    total -= beta * misfit + alpha * size + examples * np.log(2.0 * np.pi)
    return float(total) / (2.0 * examples)


def _reduced(
    table: Floats, targets: Callable[[slice], Floats], number: int
) -> tuple[Floats, Floats]:
    """Return a smaller pair with the singular values and the projections of the whole one.

    A QR decomposition of [features | targets], block by block, keeps what LogME reads to full
    accuracy (a Gram matrix would lose the small half of the spectrum) and is several times cheaper
    than the decomposition of all examples.

    Args:
        table: [examples, features].
        targets: rows -> [rows, columns].
        number: number of columns.
    """
    examples, dimensions = table.shape
    if examples <= dimensions + number:
        return table, targets(slice(None))
    triangle: Floats = np.empty((0, dimensions + number))
    for start in range(0, examples, BLOCK_EXAMPLES):
        rows = slice(start, start + BLOCK_EXAMPLES)
        block = np.hstack([table[rows], targets(rows)])
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, block]), mode="r"))
    return triangle[:dimensions, :dimensions], triangle[:dimensions, dimensions:]


def _class_means(table: Floats, classes: Integers, counts: Floats) -> Floats:
    """Return the mean row of each class: [examples, features] -> [classes, features]."""
    from scipy.sparse import csr_array

    examples = len(table)
    member = csr_array((np.ones(examples), (classes, np.arange(examples))))
    means: Floats = (member @ table) / counts[:, None]
    return means
