"""Heads that few labels allow: class means, and a logistic regression, both linear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinearHead", "probe", "prototypes", "unit_rows"]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

# Inverse penalties of a logistic regression on features of length 1.
_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_FOLDS = 5
_TINY = 1e-12


@dataclass(frozen=True)
class LinearHead:
    """Class scores that are linear in the features.

    Attributes:
        weight: [classes, width].
        bias: [classes].
    """

    weight: Floats
    bias: Floats

    def scores(self, features: Floats) -> Floats:
        """Return [examples, classes], the highest being the class."""
        found: Floats = features @ self.weight.T + self.bias
        return found

    def predict(self, features: Floats) -> Integers:
        """Return the class of each row of [examples, width]."""
        found: Integers = self.scores(features).argmax(1)
        return found


def unit_rows(features: Floats) -> Floats:
    """Return [examples, width] with rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    found: Floats = (features / np.maximum(lengths, _TINY)).astype(np.float32)
    return found


def prototypes(features: Floats, labels: Integers) -> LinearHead:
    """Return the head that names the class whose mean has the highest cosine.

    The mean is of rows of length 1 (Snell et al., "Prototypical Networks for Few-shot Learning",
    2017; with cosine as Gidaris and Komodakis, 2018). The length of a row changes no answer, so
    the head takes features as they are.

    Args:
        features: [examples, width].
        labels: [examples], each class 0, 1, ... at least once.
    """
    rows = unit_rows(features)
    means = np.stack([rows[labels == index].mean(0) for index in range(labels.max() + 1)])
    return LinearHead(unit_rows(means), np.zeros(len(means), np.float32))


def probe(features: Floats, labels: Integers, *, seed: int = 0) -> LinearHead:
    """Return a logistic regression; the rows themselves choose its penalty.

    Stratified cross-validation (as many folds as the rarest class has rows, 5 at most) takes the
    penalty with the lowest log loss; with one row of a class nothing can be held out, and it is 1.

    Args:
        features: [examples, width].
        labels: [examples], each class 0, 1, ... at least once, two classes or more.
        seed: of the folds.
    """
    from sklearn.linear_model import LogisticRegression

    scale = float(np.linalg.norm(features, axis=1).mean()) or 1.0
    rows = np.asarray(features, np.float64) / scale
    penalty = _penalty(rows, labels, seed)
    fitted = LogisticRegression(C=penalty, max_iter=1000).fit(rows, labels)
    weight, bias = fitted.coef_ / scale, fitted.intercept_
    if len(weight) == 1:  # two classes: scikit-learn keeps one row for both
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32))


def _penalty(rows: NDArray[np.float64], labels: Integers, seed: int) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold

    folds = min(int(np.bincount(labels).min()), _FOLDS)
    if folds < 2:
        return 1.0
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    parts = list(splitter.split(rows, labels))
    losses = []
    for penalty in _PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=1000)
        chances = [
            (labels[held], model.fit(rows[seen], labels[seen]).predict_proba(rows[held]))
            for seen, held in parts
        ]
        known = np.unique(labels)
        losses.append(np.mean([log_loss(true, found, labels=known) for true, found in chances]))
    return _PENALTIES[int(np.argmin(losses))]
