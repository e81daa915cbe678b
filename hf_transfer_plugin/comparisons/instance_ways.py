"""Ways to learn from source rows and few target labels, on frozen features."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.adapt.instances import InstanceWeights, TrAdaBoost
from hf_transfer_plugin.comparisons.instance_settings import InstanceTransferConfig

__all__ = ["TARGET_ONLY", "Learned", "Tables", "learn"]

TARGET_ONLY = "target-only"
STRENGTHS = (1e-3, 1e-2, 1e-1)
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """Standardised features and classes.

    Attributes:
        source, target, test: [rows, features]; of source and target the train split.
        source_labels, target_labels, test_labels: [rows].
    """

    source: Floats
    source_labels: Integers
    target: Floats
    target_labels: Integers
    test: Floats
    test_labels: Integers


@dataclass(frozen=True)
class Learned:
    """A way with one draw of target labels.

    Attributes:
        probabilities: [test rows, classes].
        strength: inverse penalty that cross-validation on the target labels chose.
        chosen_at: accuracy of that cross-validation.
        weights: of the source rows, where the labels of this draw decided them.
    """

    probabilities: Floats
    strength: float
    chosen_at: float
    weights: InstanceWeights | None = None


def learn(
    way: str,
    tables: Tables,
    rows: Integers,
    weights: Mapping[str, InstanceWeights],
    config: InstanceTransferConfig,
    seed: int,
) -> Learned:
    """Learn one way and name the classes of the test rows.

    Penalties are chosen by cross-validation on the drawn target labels, the source on the side of
    the rows that are fitted; the test rows are read once.

    Args:
        way: "target-only" or one of `WAYS`.
        tables: features and classes.
        rows: numbers of the target rows whose labels are read.
        weights: way -> weights of the source rows, for those that do not read labels.
        config: folds and rounds.
        seed: of the folds.
    """
    target, labels = tables.target[rows], tables.target_labels[rows]
    source, source_labels = tables.source, tables.source_labels
    source_weights = np.ones(len(source))
    if way == TARGET_ONLY:
        source, source_labels, source_weights = source[:0], source_labels[:0], source_weights[:0]
    elif way in weights:
        source_weights = weights[way].values

    def fitted(strength: float, fit: Integers) -> Any:
        few = fit[:0] if way == "source-only" else fit
        table = np.vstack([source, target[few]])
        classes = np.concatenate([source_labels, labels[few]])
        sizes = np.concatenate([source_weights, np.ones(len(few))])
        return _calmly(_regression(strength), table, classes, sizes)

    best, highest = STRENGTHS[0], -1.0
    for strength in STRENGTHS:
        reached = _cross_validated(fitted, strength, target, labels, config.folds, seed)
        if reached > highest:
            best, highest = strength, reached
    if way == "tradaboost":
        # Its penalty is the one that suits both domains together: to boost in each fold would
        # cost many times as much.
        model = TrAdaBoost(config.rounds, _regression(best))
        model.fit(source, source_labels, target, labels)
    else:
        model = fitted(best, np.arange(len(rows)))
    probabilities = np.zeros((len(tables.test), int(tables.source_labels.max()) + 1))
    probabilities[:, model.classes_] = model.predict_proba(tables.test)
    return Learned(probabilities, best, highest, getattr(model, "source_weights_", None))


def _cross_validated(
    fitted: Any, strength: float, target: Floats, labels: Integers, folds: int, seed: int
) -> float:
    """Return the accuracy on target rows that were held out."""
    from sklearn.model_selection import KFold

    splitter = KFold(min(folds, len(labels)), shuffle=True, random_state=seed)
    right = np.zeros(len(labels))
    for seen, held_out in splitter.split(target):
        if len(np.unique(labels[seen])) > 1:
            right[held_out] = fitted(strength, seen).predict(target[held_out]) == labels[held_out]
    return float(right.mean())


def _regression(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=300)


def _calmly(model: Any, table: Floats, classes: Integers, weights: Floats) -> Any:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(table, classes, sample_weight=weights)
