"""What a linear probe says about examples that it has not seen: classes, or values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.score_inputs import Floats, Integers

__all__ = ["held_out_classes", "held_out_errors"]

PENALTIES = np.logspace(-2.0, 7.0, 10)  # one for each power of ten, on standardised features
TINY = float(np.finfo(np.float64).tiny)


def held_out_classes(
    table: Floats,
    classes: Integers,
    *,
    folds: int,
    seed: int,
    score: str,
    equal_classes: bool = False,
) -> Integers:
    """Return for each example the class that a logistic regression names which has not seen it.

    Args:
        table: [examples, features], checked.
        classes: [examples], 0, 1, ...
        folds: at least 2; fewer are made when a class has fewer examples.
        seed: of the folds.
        score: name of the score, for the error.
        equal_classes: the probe weighs all classes the same, whatever their numbers.

    Returns:
        [examples]; -1 for the only example of a class.

    Raises:
        DataError: for fewer than two folds.
    """
    from sklearn.model_selection import StratifiedKFold

    _check_folds(folds, score)
    table = table / max(float(np.abs(table).max()), TINY)
    counts = np.bincount(classes)
    named = np.full(len(table), -1, dtype=np.intp)
    if counts.max() < 2:
        return named
    splitter = StratifiedKFold(
        min(folds, int(counts[counts > 1].min())), shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        # Classes with one example are accounted for below.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = list(splitter.split(table, classes))
    for seen, held_out in parts:
        named[held_out] = _named(table[seen], classes[seen], table[held_out], equal_classes)
    named[counts[classes] == 1] = -1
    return named


def held_out_errors(
    table: Floats, values: Floats, *, folds: int, seed: int, score: str
) -> tuple[Floats, Floats]:
    """Return what ridge regressions miss on rows they have not seen, and what the mean misses.

    Args:
        table: [examples, features], checked.
        values: [examples, columns], checked.
        folds: at least 2; as many as there are examples at most.
        seed: of the folds.
        score: name of the score, for the error.

    Returns:
        Squared errors [columns] of the probe, and of the mean of the rows it was fitted on.

    Raises:
        DataError: for fewer than two folds.
    """
    from sklearn.model_selection import KFold

    _check_folds(folds, score)
    table = table / max(float(np.abs(table).max()), TINY)
    missed, by_mean = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    splitter = KFold(min(folds, len(table)), shuffle=True, random_state=seed)
    for seen, held_out in splitter.split(table):
        mean = values[seen].mean(axis=0)
        predicted = mean + _predicted(table[seen], values[seen] - mean, table[held_out])
        missed += np.sum((values[held_out] - predicted) ** 2, axis=0)
        by_mean += np.sum((values[held_out] - mean) ** 2, axis=0)
    return missed, by_mean


def _check_folds(folds: int, score: str) -> None:
    if folds < 2:
        raise DataError(
            arrived=f"{score} got folds={folds}",
            expected="at least 2 folds, so that something is held out",
            action="leave folds out for the default of 5",
        )


def _named(train: Floats, classes: Integers, held_out: Floats, equal_classes: bool) -> Integers:
    """Fit on [examples, features] and [examples], name the classes of [others, features]."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if np.all(classes == classes[0]):
        return np.full(len(held_out), classes[0])
    weights = "balanced" if equal_classes else None
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight=weights))
    with warnings.catch_warnings():
        # Accuracy has settled long before the last digits of the weights; classes may be rare.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        named: Integers = probe.fit(train, classes).predict(held_out)
    return named


def _predicted(train: Floats, values: Floats, held_out: Floats) -> Floats:
    """Fit on [examples, features] and [examples, columns], predict for [others, features]."""
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train)
    if len(train) < 2:
        return np.zeros((len(held_out), values.shape[1]))
    probe: Any = RidgeCV(alphas=PENALTIES, fit_intercept=False, alpha_per_target=True)
    probe.fit(scaler.transform(train), values)
    found: Floats = probe.predict(scaler.transform(held_out)).reshape(len(held_out), -1)
    return found
