"""How good a classifier is on a target whose labels nobody reads: pure functions of its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.data.domain_pairs import UNLABELLED

__all__ = [
    "answer_information",
    "importance_weighted_accuracy",
    "importance_weights",
    "label_free_scores",
    "neighbourhood_density",
    "prediction_entropy",
    "probabilities_of",
]

Floats = NDArray[np.float64]
_MOST_NEIGHBOURS = 2000


def label_free_scores(logits: Any, labels: Any) -> dict[str, float]:
    """Return "importance", "information", "entropy" and "density" of answers in both domains.

    Args:
        logits: of labelled source rows and unlabelled target rows [rows, classes].
        labels: class of each row [rows]; -100 marks the target.

    Raises:
        ValueError: when one of the domains has no row.
    """
    found, classes = probabilities_of(logits), np.asarray(labels)
    target = classes == UNLABELLED
    if target.all() or not target.any():
        raise ValueError("label-free scores need labelled source rows and unlabelled target rows")
    right = found[~target].argmax(1) == classes[~target]
    return {
        "importance": importance_weighted_accuracy(
            right, importance_weights(found[~target], found[target])
        ),
        "information": answer_information(found[target]),
        "entropy": prediction_entropy(found[target]),
        "density": neighbourhood_density(found[target]),
    }


def probabilities_of(logits: Any) -> Floats:
    """Return the softmax of logits [rows, classes]."""
    wide = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(wide - wide.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))


def importance_weights(source: Any, target: Any, *, strength: float = 1.0) -> Floats:
    """Return the density ratio target / source at each source row, with mean 1.

    A logistic regression tells the domains apart; by Bayes' rule its odds, times the ratio of the
    numbers of rows, are the density ratio.

    Args:
        source: features or answers of source rows [rows, width].
        target: the same of target rows [other rows, width].
        strength: inverse strength of its regularisation, on standardised columns.

    Returns:
        [rows]

    References:
        Sugiyama, Krauledat and Müller, "Covariate Shift Adaptation by Importance Weighted Cross
        Validation" (2007); Bickel, Brückner and Scheffer (2007) for the ratio by classification.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ours, theirs = np.asarray(source, np.float64), np.asarray(target, np.float64)
    both = np.concatenate([ours, theirs])
    domain = np.repeat([0, 1], [len(ours), len(theirs)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    log_odds = model.fit(both, domain).decision_function(ours)
    weights = np.exp(log_odds - log_odds.max())
    return np.asarray(weights / weights.mean())


def importance_weighted_accuracy(right: Any, weights: Any) -> float:
    """Return the share of right answers on source rows that are weighted as the target is.

    With weights from answers, a network that answers one class on nearly all of the target is held
    to the source rows that it answers so: it gets the precision of that class, which may be high.

    Args:
        right: which rows are answered right [rows].
        weights: not negative, not all 0 [rows].

    References:
        Sugiyama et al. (2007), with weights that sum to 1, so that it lies between 0 and 1.
    """
    return float(np.average(np.asarray(right, np.float64), weights=np.asarray(weights)))


def answer_information(probabilities: Any) -> float:
    """Return the mutual information of rows and answers, in nats; larger is better.

    The entropy of the mean answer less the mean entropy of the answers: all are sure, and all
    classes are given. It is 0 where one class is answered everywhere or nothing is sure, and at
    most log(classes). It expects classes that are about as frequent as each other.

    Args:
        probabilities: [rows, classes]

    References:
        Shi and Sha, "Information-Theoretical Learning of Discriminative Clusters for Unsupervised
        Domain Adaptation" (2012); as a criterion of choice Musgrave, Belongie and Lim,
        "Unsupervised Domain Adaptation: A Reality Check" (2021).
    """
    found = np.asarray(probabilities, np.float64)
    return float(_entropies(found.mean(0, keepdims=True))[0]) - prediction_entropy(found)


def prediction_entropy(probabilities: Any) -> float:
    """Return the mean entropy of answers, in nats: 0 when all are sure, at most log(classes).

    A network that answers one class everywhere has none either: low entropy is no proof.

    Args:
        probabilities: [rows, classes]

    References:
        Morerio, Cavazza and Murino, "Minimal-Entropy Correlation Alignment for Unsupervised Deep
        Domain Adaptation" (2018).
    """
    return float(_entropies(np.asarray(probabilities, np.float64)).mean())


def neighbourhood_density(probabilities: Any, *, temperature: float = 0.05) -> float:
    """Return the mean entropy of who is near whom among answers, in nats; larger is better.

    Answers that form dense groups have many neighbours at the same distance, so a high entropy.
    Of more than 2,000 rows 2,000 at equal distances are read. One class everywhere has the highest
    density of all: it chooses well among networks that have not collapsed.

    Args:
        probabilities: [rows, classes], two rows or more.
        temperature: of the softmax over cosine similarities.

    References:
        Saito et al., "Tune it the Right Way: Unsupervised Validation of Domain Adaptation via
        Soft Neighborhood Density" (2021).
    """
    found = np.asarray(probabilities, np.float64)
    if len(found) > _MOST_NEIGHBOURS:
        found = found[np.linspace(0, len(found) - 1, _MOST_NEIGHBOURS).astype(int)]
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    similar = unit @ unit.T / temperature
    np.fill_diagonal(similar, -np.inf)
    return float(_entropies(probabilities_of(similar)).mean())


def _entropies(probabilities: Floats) -> Floats:
    logs = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    return np.asarray(-(probabilities * logs).sum(1))
