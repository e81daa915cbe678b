"""Boosting that trusts source rows less each time they contradict the target."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression

from hf_transfer_plugin.adapt.instances.tables import checked_labels, domain_tables
from hf_transfer_plugin.adapt.instances.weights import Floats, InstanceWeights, weights_of
from hf_transfer_plugin.errors import ConfigError, DataError

__all__ = ["TrAdaBoost"]


class TrAdaBoost(BaseEstimator, ClassifierMixin):  # type: ignore[misc]
    """Boosting over labelled source rows and few labelled target rows.

    Each round fits the learner on all rows. Target rows that it gets wrong count more in the next
    round, as in AdaBoost; source rows that it gets wrong count less, by 1 / (1 + sqrt(2 ln n / N))
    with n source rows and N rounds. The rounds of the second half vote. With K classes the rise of
    a target row and the weight of a vote are those of SAMME: (1 - error) / error x (K - 1).

    A round whose error on the target is no better than chance (1 - 1/K) ends the boosting. An
    error below half a target row counts as half a row: a learner that fits the few target rows
    exactly would otherwise have all the votes.

    Source weights also fall where source and target agree, only because target weights rise;
    `correct_drift` multiplies them by K (1 - error) against that.

    Example:
        >>> model = TrAdaBoost(rounds=10).fit(source, labels, target, target_labels)
        >>> model.predict(features)

    Attributes after `fit`:
        classes_: labels in order.
        errors_: error on the target of each round.
        source_weights_: `InstanceWeights` after the last round; small ones contradicted.

    Args:
        rounds: N, at least 2.
        learner: a scikit-learn classifier whose `fit` takes `sample_weight`; None: logistic
            regression. A learner that is weak on the target rows is meant: a small C, or
            `DecisionTreeClassifier(max_depth=1)`.
        correct_drift: see above.

    References:
        Dai et al., "Boosting for Transfer Learning" (2007); Hastie et al., "Multi-class AdaBoost"
        (2009), for SAMME; Al-Stouhi & Reddy, "Adaptive Boosting for Transfer Learning Using
        Dynamic Updates" (2011), for the drift.
    """

    def __init__(self, rounds: int = 20, learner: Any = None, correct_drift: bool = False) -> None:
        self.rounds = rounds
        self.learner = learner
        self.correct_drift = correct_drift

    def fit(
        self,
        source: ArrayLike,
        source_labels: ArrayLike,
        target: ArrayLike,
        target_labels: ArrayLike,
    ) -> TrAdaBoost:
        """Boost.

        Args:
            source: [rows, features].
            source_labels: [rows].
            target: [other rows, features].
            target_labels: [other rows]; each of its classes may also be in the source alone.

        Raises:
            DataError: for tables and labels that do not fit, or one class alone.
            ConfigError: for fewer than two rounds.
        """
        if self.rounds < 2:
            raise ConfigError(
                arrived=f"TrAdaBoost with rounds={self.rounds}",
                expected="at least 2: the second half of the rounds votes",
                action="leave rounds out for the default of 20",
            )
        one, other = domain_tables(source, target, "TrAdaBoost")
        labels = np.concatenate(
            [
                checked_labels(source_labels, len(one), "TrAdaBoost, source"),
                checked_labels(target_labels, len(other), "TrAdaBoost, target"),
            ]
        )
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise DataError(
                arrived=f"TrAdaBoost got the class {self.classes_[0]!r} alone",
                expected="two classes or more",
                action="add rows of another class",
            )
        self._boost(np.vstack([one, other]), labels, len(one))
        return self

    def _boost(self, table: Floats, labels: NDArray[np.generic], count: int) -> None:
        """Fit the rounds on rows whose first `count` are of the source."""
        classes = len(self.classes_)
        fall = 1.0 / (1.0 + np.sqrt(2.0 * np.log(count) / self.rounds))
        smallest = 0.5 / (len(table) - count)
        weights = np.ones(len(table))
        learners: list[Any] = []
        votes: list[float] = []
        errors: list[float] = []
        for _ in range(self.rounds):
            weights *= len(weights) / weights.sum()
            learner = self._fitted(table, labels, weights)
            wrong = learner.predict(table) != labels
            error = float(weights[count:] @ wrong[count:] / weights[count:].sum())
            if error >= 1.0 - 1.0 / classes and learners:
                break
            errors.append(error)
            error = min(max(error, smallest), 1.0 - 1.0 / classes - smallest / classes)
            rise = (1.0 - error) / error * (classes - 1.0)
            learners.append(learner)
            votes.append(float(np.log(rise)))
            weights[:count] *= np.where(wrong[:count], fall, 1.0)
            weights[count:] *= np.where(wrong[count:], rise, 1.0)
            if self.correct_drift:
                weights[:count] *= classes * (1.0 - error)
        first = len(learners) // 2
        self.learners_, self.votes_ = learners[first:], votes[first:]
        self.errors_ = errors
        self.source_weights_: InstanceWeights = weights_of(
            "tradaboost", weights[:count], {"rounds": len(learners)}
        )

    def _fitted(self, table: Floats, labels: NDArray[np.generic], weights: Floats) -> Any:
        from sklearn.exceptions import ConvergenceWarning

        learner = LogisticRegression(max_iter=500) if self.learner is None else clone(self.learner)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return learner.fit(table, labels, sample_weight=weights)

    def predict_proba(self, features: ArrayLike) -> Floats:
        """Return the share of the votes [rows, classes]; no calibrated probabilities."""
        table = np.asarray(features, dtype=np.float64)
        shares = np.zeros((len(table), len(self.classes_)))
        for learner, vote in zip(self.learners_, self.votes_, strict=True):
            shares += vote * (learner.predict(table)[:, None] == self.classes_)
        found: Floats = shares / sum(self.votes_)
        return found

    def predict(self, features: ArrayLike) -> NDArray[np.generic]:
        """Return the label [rows] with most votes."""
        found: NDArray[np.generic] = self.classes_[self.predict_proba(features).argmax(axis=1)]
        return found
