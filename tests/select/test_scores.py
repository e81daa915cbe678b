"""The values of the scores: published facts, LogME by whole matrices, planted signal."""

import math
import subprocess
import sys

import numpy as np
import pytest

from hf_transfer_plugin.select import feature_scores
from hf_transfer_plugin.select.scores import (
    SCORES,
    h_score,
    logme,
)
from tests.select.planted import planted, softmax

NAMES = sorted(SCORES)


def dense_logme(features, labels):
    """LogME from whole matrices: the textbook form, D prior weights, no decomposition."""
    examples, dimensions = features.shape
    gram, unit = features.T @ features, np.eye(dimensions)
    values = []
    for label in np.unique(labels):
        target = (labels == label).astype(float)
        alpha = beta = 1.0
        for _ in range(11):
            before = alpha / beta
            inverse = np.linalg.inv(before * unit + gram)
            weights = inverse @ features.T @ target
            gamma = dimensions - before * np.trace(inverse)
            size, misfit = weights @ weights, np.sum((features @ weights - target) ** 2)
            alpha, beta = gamma / (size + 1e-5), (examples - gamma) / (misfit + 1e-5)
            if abs(alpha / beta - before) <= 1e-3 * before:
                break
        log_determinant = np.linalg.slogdet(alpha * unit + beta * gram)[1]
        value = dimensions / 2 * math.log(alpha) + examples / 2 * math.log(beta)
        value -= log_determinant / 2 + beta * misfit / 2 + alpha * size / 2
        values.append((value - examples / 2 * math.log(2 * math.pi)) / examples)
    return np.mean(values)


def test_all_scores_are_listed():
    assert NAMES == [
        "gbc",
        "h_score",
        "knn_accuracy",
        "leep",
        "linear_probe_accuracy",
        "logme",
        "nce",
        "nleep",
    ]
    needs = {name: score.needs for name, score in SCORES.items()}
    assert {name for name in NAMES if needs[name] == "source_probabilities"} == {"leep", "nce"}


@pytest.mark.parametrize("name", NAMES)
def test_more_signal_gives_a_higher_score(name):
    features = [planted(signal) for signal in (0.0, 0.15, 0.3, 0.5)]
    if SCORES[name].needs == "source_probabilities":
        features = [(softmax(table), labels) for table, labels in features]
    scores = [SCORES[name](table, labels) for table, labels in features]
    assert all(isinstance(score, float) for score in scores)
    assert scores == sorted(scores)
    assert scores[0] < scores[1] < scores[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_score_is_repeatable_and_ignores_the_names_of_the_classes(name):
    table, labels = planted(0.3)
    if SCORES[name].needs == "source_probabilities":
        table = softmax(table)
    before = table.copy()
    first = SCORES[name](table, labels)
    words = np.array(["ant", "bee", "cat", "dog", "eel"])[labels]
    assert SCORES[name](table, labels) == first
    assert SCORES[name](table, words) == SCORES[name](table, list(words)) == first
    np.testing.assert_array_equal(table, before)


# LogME


def copied_logme(features, labels):
    """LogME as it is often copied: all dimensions count in the prior, where the rank belongs."""
    examples, dimensions = features.shape
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    values = []
    for label in np.unique(labels):
        target = (labels == label).astype(float)
        along = (left.T @ target) ** 2
        outside = target @ target - along.sum()
        ratio = alpha = beta = 1.0
        for _ in range(11):
            ratio = alpha / beta
            kept = singular**2 / (singular**2 + ratio)
            size = np.sum(kept * along / (singular**2 + ratio))
            misfit = np.sum((1 - kept) ** 2 * along) + outside
            alpha, beta = kept.sum() / (size + 1e-5), (examples - kept.sum()) / (misfit + 1e-5)
            if abs(alpha / beta - ratio) <= 1e-3 * ratio:
                break
        value = dimensions * np.log(alpha) + examples * np.log(beta / (2 * np.pi))
        value -= np.log(alpha + beta * singular**2).sum() + beta * misfit + alpha * size
        values.append(value / 2 / examples)
    return np.mean(values)


def test_logme_of_noise_stays_low_where_the_copied_code_gives_30():
    values, copied = [], []
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=(100, 768))
        values.append(logme(noise, np.arange(100) % 10))
        copied.append(copied_logme(noise, np.arange(100) % 10))
    assert np.mean(values) == pytest.approx(-0.3, abs=0.1)
    assert np.ptp(values) < 0.1
    assert np.mean(copied) == pytest.approx(29.1, abs=0.5)


def test_the_copied_logme_is_right_with_more_examples_than_dimensions():
    features, labels = planted(0.3, 200, 20)
    assert logme(features, labels) == pytest.approx(copied_logme(features, labels), abs=1e-9)


@pytest.mark.parametrize(
    ("examples", "dimensions"), [(200, 20), (60, 60), (66, 60), (40, 90), (20_000, 6), (30, 1)]
)
@pytest.mark.parametrize("signal", [0.0, 0.5])
def test_logme_agrees_with_whole_matrices(examples, dimensions, signal):
    features, labels = planted(signal, examples, dimensions)
    assert logme(features, labels) == pytest.approx(dense_logme(features, labels), abs=1e-6)


def test_logme_agrees_on_features_of_very_unequal_size():
    features, labels = planted(0.5, 200, 20)
    features = features * np.logspace(2, -2, 20)
    assert logme(features, labels) == pytest.approx(dense_logme(features, labels), abs=1e-6)


def test_logme_by_blocks_equals_logme_at_once(monkeypatch):
    features, labels = planted(0.3, 1000, 30)
    whole = logme(features, labels)
    monkeypatch.setattr(feature_scores, "BLOCK_EXAMPLES", 77)
    assert logme(features, labels) == pytest.approx(whole, abs=1e-12)


def test_logme_does_not_count_copied_or_empty_dimensions():
    features, labels = planted(0.3, 200, 20)
    doubled = np.hstack([features, features]) / math.sqrt(2.0)
    padded = np.hstack([features, np.zeros((200, 500))])
    assert logme(doubled, labels) == pytest.approx(logme(features, labels), abs=1e-9)
    assert logme(padded, labels) == pytest.approx(logme(features, labels), abs=1e-9)


# H-score


def test_regularised_h_score_tells_signal_from_noise_where_the_plain_one_saturates():
    noise, labels = planted(0.0, 500, 768, 10)
    signal, _ = planted(0.2, 500, 768, 10)
    plain = []
    for table in (noise, signal):
        moved = table - table.mean(axis=0)
        means = np.stack([moved[labels == c].mean(axis=0) for c in range(10)])[labels]
        plain.append(np.trace(np.linalg.pinv(np.cov(moved.T)) @ np.cov(means.T)))
    assert plain == pytest.approx([9.0, 9.0], abs=1e-6)
    assert 0.0 <= h_score(noise, labels) < 0.2
    assert 1.5 < h_score(signal, labels) < 9.0


def test_importing_the_scores_loads_neither_torch_nor_sklearn():
    code = (
        "import sys, hf_transfer_plugin.select.scores\n"
        "print(sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
