"""Scores of small tables worked out by hand, and of classifiers counted directly."""

import math

import numpy as np
import pytest

from hf_transfer_plugin.select import nearest_neighbours
from hf_transfer_plugin.select.scores import gbc, knn_accuracy, leep, linear_probe_accuracy, nce
from tests.select.planted import planted

# LEEP, NCE, GBC: small tables by hand


def test_leep_and_nce_of_a_table_worked_out_by_hand():
    probabilities = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]
    labels = [0, 0, 1, 1]
    # columns: 1.7 of 2.6 and 0.3 of 1.4 belong to class 0
    first, second = 1.7 / 2.6, 0.3 / 1.4
    likelihoods = [
        0.9 * first + 0.1 * second,
        0.8 * first + 0.2 * second,
        0.3 * (1 - first) + 0.7 * (1 - second),
        0.6 * (1 - first) + 0.4 * (1 - second),
    ]
    assert leep(probabilities, labels) == pytest.approx(np.log(likelihoods).mean(), abs=1e-12)
    # argmax 0, 0, 1, 0: source class 0 holds labels 0, 0, 1; source class 1 holds label 1
    by_hand = (2 * math.log(2 / 3) + math.log(1 / 3) + math.log(1)) / 4
    assert nce(probabilities, labels) == pytest.approx(by_hand, abs=1e-12)


def test_leep_and_nce_of_certain_and_of_empty_predictions():
    certain, labels = np.eye(4)[[0, 1, 2, 3]], [0, 1, 0, 1]
    assert leep(certain, labels) == nce(certain, labels) == 0.0
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    flat = np.full((4, 1000), 0.001)
    assert leep(flat, [0, 1, 1, 1]) == pytest.approx(-entropy)
    assert nce(flat, [0, 1, 1, 1]) == pytest.approx(-entropy)


def test_gbc_of_two_classes_worked_out_by_hand():
    # means 0 and 4, variances 1 and 4 (two points each side of the mean)
    features, labels = [[-1.0], [1.0], [2.0], [6.0]], [0, 0, 1, 1]
    distance = 16 / 2.5 / 8 + (math.log(2.5) - (math.log(1) + math.log(4)) / 2) / 2
    assert gbc(features, labels) == pytest.approx(-math.exp(-distance), abs=1e-12)


def test_gbc_counts_the_logarithm_once_for_every_dimension():
    one = np.array([[-1.0], [1.0], [-3.0], [3.0]])  # same mean, variances 1 and 9
    unlike = (math.log(5.0) - math.log(9.0) / 2) / 2
    three = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], dtype=float)
    features, labels = np.vstack([three, 3 * three]), np.repeat([0, 1], 8)
    assert gbc(one, [0, 0, 1, 1]) == pytest.approx(-math.exp(-unlike))
    assert gbc(features, labels) == pytest.approx(-math.exp(-3 * unlike))


# kNN and the linear probe


def test_knn_agrees_with_a_direct_count_whatever_the_chunk(monkeypatch):
    features, labels = planted(0.3, 101, 10)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    right = 0
    for i in range(101):
        others = sorted((j for j in range(101) if j != i), key=lambda j: -units[i] @ units[j])
        votes = [int(labels[j]) for j in others[:3]]
        named = max(votes, key=lambda vote: (votes.count(vote), -votes.index(vote)))
        right += named == labels[i]
    assert knn_accuracy(features, labels) == right / 101
    monkeypatch.setattr(nearest_neighbours, "CHUNK_SIMILARITIES", 700)
    assert knn_accuracy(features, labels) == right / 101


def test_two_neighbours_outvote_a_nearer_one():
    degrees = np.radians([0.0, 1.0, -2.0, 3.0])
    features = np.stack([np.cos(degrees), np.sin(degrees)], axis=1)
    assert knn_accuracy(features, [1, 0, 1, 1]) == 0.75


def test_knn_ignores_the_length_of_each_example():
    features, labels = planted(0.3)
    lengths = np.random.default_rng(2).uniform(0.01, 100, size=(300, 1))
    assert knn_accuracy(features * lengths, labels) == knn_accuracy(features, labels)


def test_linear_probe_scores_examples_it_has_not_seen():
    noise, labels = planted(0.0, 300, 400)
    assert linear_probe_accuracy(noise, labels) < 0.3
    assert linear_probe_accuracy(*planted(1.0)) == 1.0
