"""Scores that are the accuracy of a cheap classifier on the features: kNN and a linear probe."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.score_inputs import Floats, Integers, checked

__all__ = ["knn_accuracy", "linear_probe_accuracy"]

NEIGHBOURS = 3
CHUNK_SIMILARITIES = 16_000_000  # 128 MB at a time


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
    table, classes = checked(features, labels, "knn_accuracy")
    table /= np.maximum(np.abs(table).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    examples = len(table)
    chunk = max(1, CHUNK_SIMILARITIES // examples)
    right = 0
    for start in range(0, examples, chunk):
        rows = np.arange(start, min(start + chunk, examples))
        similarity = table[rows] @ table.T
        np.round(similarity, 12, out=similarity)
        similarity[np.arange(len(rows)), rows] = -np.inf
        named = _vote(similarity, classes)
        right += int(np.sum(named == classes[rows]))
    return right / examples


def linear_probe_accuracy(
    features: ArrayLike, labels: ArrayLike, *, folds: int = 5, seed: int = 0
) -> float:
    """Cross-validated accuracy of a multinomial logistic regression on standardised features.

    The folds are stratified and drawn from the seed. When a class has fewer examples than
    `folds`, there are as many folds as the smallest class with two examples has; the only example
    of a class can never be named by a probe that has not seen it, and counts as wrong.

    Args:
        features: [examples, features]; scale and offset of each feature do not matter.
        labels: [examples], integers or strings.
        folds: at least 2.
        seed: of the folds.

    Returns:
        Share of held-out examples that are right, in [0, 1].

    Raises:
        DataError: see `score_inputs.checked`; for fewer than two folds.

    References:
        Alain and Bengio, "Understanding intermediate layers using linear classifier probes"
        (2017).
    """
    from sklearn.model_selection import StratifiedKFold

    if folds < 2:
        raise DataError(
            arrived=f"linear_probe_accuracy got folds={folds}",
            expected="at least 2 folds, so that something is held out",
            action="leave folds out for the default of 5",
        )
    table, classes = checked(features, labels, "linear_probe_accuracy")
    table /= max(float(np.abs(table).max()), float(np.finfo(np.float64).tiny))
    counts = np.bincount(classes)
    if counts.max() < 2:
        return 0.0
    splitter = StratifiedKFold(
        min(folds, int(counts[counts > 1].min())), shuffle=True, random_state=seed
    )
    right = 0
    with warnings.catch_warnings():
        # Classes with one example are accounted for above.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(splitter.split(table, classes))
    for seen, held_out in parts:
        named = _probe(table[seen], classes[seen], table[held_out])
        right += int(np.sum(named == classes[held_out]))
    return right / len(table)


def _vote(similarity: Floats, classes: Integers) -> Integers:
    """Return the class that each row's neighbours name: [rows, examples] -> [rows]."""
    number = min(NEIGHBOURS, similarity.shape[1] - 1)
    nearest = np.empty((len(similarity), number), dtype=np.intp)
    rows = np.arange(len(similarity))
    for rank in range(number):
        nearest[:, rank] = similarity.argmax(axis=1)  # the first of equals, unlike a partition
        similarity[rows, nearest[:, rank]] = -np.inf
    votes = classes[nearest]
    if number < NEIGHBOURS:
        return votes[:, 0]
    return np.where(votes[:, 1] == votes[:, 2], votes[:, 1], votes[:, 0])


def _probe(train: Floats, classes: Integers, held_out: Floats) -> Integers:
    """Fit on [examples, features] and [examples], name the classes of [others, features]."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if np.all(classes == classes[0]):
        return np.full(len(held_out), classes[0])
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with warnings.catch_warnings():
        # Accuracy has settled long before the last digits of the weights.
        warnings.simplefilter("ignore", ConvergenceWarning)
        named: Integers = probe.fit(train, classes).predict(held_out)
    return named
