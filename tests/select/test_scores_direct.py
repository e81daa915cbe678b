"""Each score against the plainest computation of its definition, to 1e-6."""

import math

import numpy as np
import pytest

from hf_transfer_plugin.select.scores import SCORES
from tests.select.planted import planted, softmax
from tests.select.test_scores import dense_logme

SHAPES = ((200, 20, 5), (60, 90, 3), (150, 70, 10), (40, 1, 2))


def direct_gbc(table, labels):
    moved = table - table.mean(axis=0)
    axes = np.linalg.svd(moved, full_matrices=False)[2][:64]
    parts = [(moved @ axes.T)[labels == label] for label in np.unique(labels)]
    total = 0.0
    for i, one in enumerate(parts):
        for other in parts[i + 1 :]:
            distance = 0.0
            for a, b in zip(one.T, other.T, strict=True):
                va, vb = max(a.var(), 1e-4), max(b.var(), 1e-4)
                mean = (va + vb) / 2
                distance += (a.mean() - b.mean()) ** 2 / mean / 8
                distance += math.log(mean / math.sqrt(va * vb)) / 2
            total -= math.exp(-distance)
    return total


def direct_h_score(table, labels):
    from sklearn.covariance import LedoitWolf

    fitted = LedoitWolf().fit(table)
    means = np.zeros_like(table)
    for label in np.unique(labels):
        means[labels == label] = table[labels == label].mean(axis=0)
    between = np.atleast_2d(np.cov(means.T, bias=True))
    inner = np.trace(np.linalg.inv(fitted.covariance_) @ between)
    return (1 - fitted.shrinkage_) * inner


def direct_knn(table, labels):
    units = table / np.linalg.norm(table, axis=1, keepdims=True)
    right = 0
    for i in range(len(table)):
        near = [(-round(float(units[j] @ units[i]), 12), j) for j in range(len(table)) if j != i]
        first, second, third = (labels[j] for _, j in sorted(near)[:3])
        right += labels[i] == (second if second == third else first)
    return right / len(table)


def direct_leep(table, labels):
    joint = np.zeros((labels.max() + 1, table.shape[1]))
    for row, label in zip(table, labels, strict=True):
        joint[label] += row / len(table)
    total = 0.0
    for row, label in zip(table, labels, strict=True):
        total += math.log(sum(joint[label] / joint.sum(axis=0) * row))
    return total / len(table)


def direct_linear_probe(table, labels):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return np.mean(cross_val_predict(probe, table, labels, cv=folds) == labels)


def direct_nce(table, labels):
    pairs = list(zip(table.argmax(axis=1), labels, strict=True))
    sources = [source for source, _ in pairs]
    total = 0.0
    for pair in set(pairs):
        joint = pairs.count(pair) / len(pairs)
        total += joint * math.log(pairs.count(pair) / sources.count(pair[0]))
    return total


def direct_nleep(table, labels):
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    share = 0.8 if table.shape[1] > 1 else None
    reduced = PCA(share, svd_solver="full").fit_transform(table)
    reduced /= reduced[:, 0].std()
    components = min(5 * (labels.max() + 1), len(table) // 2)
    mixture = GaussianMixture(components, covariance_type="diag", random_state=0)
    return direct_leep(mixture.fit(reduced).predict_proba(reduced), labels)


DIRECT = {
    "gbc": direct_gbc,
    "h_score": direct_h_score,
    "knn_accuracy": direct_knn,
    "leep": direct_leep,
    "linear_probe_accuracy": direct_linear_probe,
    "logme": dense_logme,
    "nce": direct_nce,
    "nleep": direct_nleep,
}


def test_every_score_is_compared():
    assert sorted(DIRECT) == sorted(SCORES)
    assert len(DIRECT) == 8


@pytest.mark.parametrize("name", sorted(DIRECT))
@pytest.mark.parametrize(("examples", "dimensions", "classes"), SHAPES)
@pytest.mark.parametrize("signal", [0.0, 0.6])
def test_a_score_agrees_with_its_definition(name, examples, dimensions, classes, signal):
    table, labels = planted(signal, examples, dimensions, classes)
    if SCORES[name].needs == "source_probabilities":
        table = softmax(table)
    assert SCORES[name](table, labels) == pytest.approx(DIRECT[name](table, labels), abs=1e-6)
