"""Scores computed from probabilities of source classes: LEEP, NCE, and NLEEP (makes its own)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from hf_transfer_plugin.select.score_inputs import (
    Floats,
    Integers,
    checked,
    checked_probabilities,
    principal_components,
)

__all__ = ["leep", "nce", "nleep"]

NLEEP_VARIANCE_SHARE = 0.8
NLEEP_COMPONENTS_PER_CLASS = 5
TINY = float(np.finfo(np.float64).tiny)


def leep(source_probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Log expected empirical prediction: predict the label through the source head's classes.

    Args:
        source_probabilities: [examples, source classes], the softmax of the source head.
        labels: [examples], integers or strings.

    Returns:
        Mean log likelihood per example, in nats, at most 0; about minus the entropy of the
        labels when the source classes say nothing about them.

    Raises:
        DataError: see `score_inputs.checked_probabilities`.

    References:
        Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of Learned
        Representations" (2020).
    """
    table, classes = checked_probabilities(source_probabilities, labels, "leep")
    return _expected_log_likelihood(table, classes)


def nce(source_probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Negative conditional entropy of the label, given the most probable source class.

    Args:
        source_probabilities: [examples, source classes], the softmax of the source head.
        labels: [examples], integers or strings.

    Returns:
        In nats, at most 0.

    Raises:
        DataError: see `score_inputs.checked_probabilities`.

    References:
        Tran et al., "Transferability and Hardness of Supervised Classification Tasks" (2019).
    """
    table, classes = checked_probabilities(source_probabilities, labels, "nce")
    counts = np.zeros((int(classes.max()) + 1, table.shape[1]))
    np.add.at(counts, (classes, table.argmax(axis=1)), 1.0)
    given = counts / np.maximum(counts.sum(axis=0), 1.0)
    seen = counts > 0.0
    return float(np.sum(counts[seen] * np.log(given[seen])) / len(table))


def nleep(features: ArrayLike, labels: ArrayLike, *, seed: int = 0) -> float:
    """LEEP without a source head: the components of a Gaussian mixture take its place.

    Principal components that hold 80 % of the variance, then a mixture with five components a
    class (at most one for every two examples; with diagonal covariances, because so many
    components seldom have the examples for full ones), then LEEP on its responsibilities.

    Args:
        features: [examples, features]; the scale does not matter.
        labels: [examples], integers or strings.
        seed: of the mixture's start.

    Returns:
        Mean log likelihood per example, in nats, at most 0. It rises with fewer examples per
        component: compare only scores on the same examples.

    Raises:
        DataError: see `score_inputs.checked`.

    References:
        Li et al., "Ranking Neural Checkpoints" (2021).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    table, classes = checked(features, labels, "nleep")
    reduced = principal_components(table, most=table.shape[1], share=NLEEP_VARIANCE_SHARE)
    if reduced.shape[1] == 0:  # constant features: one component, which knows nothing
        return _expected_log_likelihood(np.ones((len(table), 1)), classes)
    reduced /= reduced[:, 0].std()  # the mixture's variance floor is absolute
    wanted = NLEEP_COMPONENTS_PER_CLASS * (int(classes.max()) + 1)
    mixture = GaussianMixture(
        n_components=max(1, min(wanted, len(table) // 2)),
        covariance_type="diag",
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A mixture that is not quite settled, or duplicates that share a component, still score.
        warnings.simplefilter("ignore", ConvergenceWarning)
        responsibilities: Floats = mixture.fit(reduced).predict_proba(reduced)
    return _expected_log_likelihood(responsibilities, classes)


def _expected_log_likelihood(table: Floats, classes: Integers) -> float:
    """LEEP of rows that add up to one: [examples, source classes], [examples]."""
    joint = np.zeros((int(classes.max()) + 1, table.shape[1]))
    for c in range(len(joint)):
        joint[c] = table[classes == c].sum(axis=0)
    given = joint / np.maximum(joint.sum(axis=0), TINY)
    likelihood = np.einsum("iz,iz->i", given[classes], table)
    # Rounding may carry a certain prediction past one.
    return float(np.mean(np.log(np.clip(likelihood, TINY, 1.0))))
