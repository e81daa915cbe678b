"""Scores that are the accuracy of a cheap predictor on the features: kNN and a linear probe."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.select.linear_probes import held_out_classes, held_out_errors
from hf_transfer_plugin.select.nearest_neighbours import nearest_neighbours
from hf_transfer_plugin.select.score_inputs import checked
from hf_transfer_plugin.select.target_inputs import TargetKind, checked_columns, kind_of

__all__ = [
    "knn_accuracy",
    "linear_probe_accuracy",
    "linear_probe_r2",
    "neighbour_hits",
]

NEIGHBOURS = 3


def knn_accuracy(features: ArrayLike, labels: ArrayLike) -> float:
    """Leave-one-out accuracy of the three nearest neighbours by cosine.

    The majority of the three decides, the nearest one when all differ. Similarities are compared
    to 12 digits, and the earlier of two equally near examples counts as nearer.

    Args:
        features: [examples, features]; scaling an example changes nothing.
        labels: [examples], integers or strings.

    Returns:
        Share of examples whose class the neighbours name, in [0, 1].

    Raises:
        DataError: see `score_inputs.checked`.

    References:
        Renggli et al., "Which Model to Transfer? Finding the Needle in the Growing Haystack"
        (2022).
    """
    return float(np.mean(neighbour_hits(features, labels)))


def neighbour_hits(features: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Tell for each example whether its neighbours name its class; see `knn_accuracy`."""
    table, classes = checked(features, labels, "knn_accuracy")
    table /= np.maximum(np.abs(table).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    number = min(NEIGHBOURS, len(table) - 1)
    votes = classes[nearest_neighbours(table, number)]
    named = votes[:, 0]
    if number == NEIGHBOURS:
        named = np.where(votes[:, 1] == votes[:, 2], votes[:, 1], named)
    hits: NDArray[np.bool_] = named == classes
    return hits


def linear_probe_accuracy(
    features: ArrayLike,
    labels: ArrayLike,
    *,
    folds: int = 5,
    seed: int = 0,
    target: TargetKind | None = None,
) -> float:
    """Cross-validated accuracy of a multinomial logistic regression on standardised features.

    The folds are stratified and drawn from the seed. When a class has fewer examples than
    `folds`, there are as many folds as the smallest class with two examples has; the only example
    of a class can never be named by a probe that has not seen it, and counts as wrong.

    Several labels an example are probed one by one. As most are rare, and "no" alone would be
    right nearly always, their accuracy is balanced: the mean of the shares that are right among
    the examples with and without the label, which guessing brings to 0.5. A label that all
    examples have, or none, is left out.

    Args:
        features: [examples, features]; scale and offset of each feature do not matter.
        labels: [examples], integers or strings; or [examples, labels] of 0 and 1.
        folds: at least 2.
        seed: of the folds.
        target: "classes" or "labels"; None tells by the shape, see `target_inputs.kind_of`.

    Returns:
        Share of held-out examples that are right, or the mean over labels of balanced accuracy,
        in [0, 1].

    Raises:
        DataError: see `score_inputs.checked`; for fewer than two folds; for real numbers, which
            `linear_probe_r2` takes.

    References:
        Alain and Bengio, "Understanding intermediate layers using linear classifier probes"
        (2017); Brodersen et al., "The balanced accuracy and its posterior distribution" (2010).
    """
    name = "linear_probe_accuracy"
    kind = kind_of(labels, name, target, ("classes", "labels"))
    if kind == "classes":
        table, classes = checked(features, labels, name)
        named = held_out_classes(table, classes, folds=folds, seed=seed, score=name)
        return float(np.mean(named == classes))
    table, columns = checked_columns(features, labels, name, "labels")
    balanced = []
    for column in columns.T.astype(np.intp):
        named = held_out_classes(
            table, column, folds=folds, seed=seed, score=name, equal_classes=True
        )
        balanced.append(np.mean([np.mean(named[column == value] == value) for value in (0, 1)]))
    return float(np.mean(balanced))


def linear_probe_r2(
    features: ArrayLike, targets: ArrayLike, *, folds: int = 5, seed: int = 0
) -> float:
    """Cross-validated R^2 of a ridge regression on standardised features.

    Each target's penalty is chosen in each fold, on the rows that are fitted. A target without
    variation is left out.

    Args:
        features: [examples, features]; scale and offset of each feature do not matter.
        targets: real numbers, [examples] or [examples, targets]; nor do theirs.
        folds: at least 2; as many as there are examples at most.
        seed: of the folds.

    Returns:
        Mean over targets; 1 when all held-out values are predicted, 0 for predicting the mean of
        the fitted rows, and somewhat below when noise is fitted.

    Raises:
        DataError: see `target_inputs.checked_columns`; for fewer than two folds.
    """
    table, columns = checked_columns(features, targets, "linear_probe_r2", "values")
    columns = columns / np.abs(columns).max(axis=0)
    missed, by_mean = held_out_errors(
        table, columns, folds=folds, seed=seed, score="linear_probe_r2"
    )
    return float(np.mean(1.0 - missed / by_mean))
