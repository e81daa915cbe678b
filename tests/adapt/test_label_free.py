"""Label-free criteria against cases that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hf_transfer_plugin.adapt.label_free import (
    answer_information,
    importance_weighted_accuracy,
    importance_weights,
    label_free_scores,
    neighbourhood_density,
    prediction_entropy,
    probabilities_of,
)


def test_weights_are_the_ratio_of_densities() -> None:
    # Source: 30 of 40 rows are 0; target: 5 of 20. Ratios (5/20)/(30/40) and (15/20)/(10/40).
    source = np.repeat([[0.0], [1.0]], [30, 10], axis=0)
    target = np.repeat([[0.0], [1.0]], [5, 15], axis=0)
    weights = importance_weights(source, target, strength=1e6)
    assert weights[0] == pytest.approx(1 / 3, rel=1e-3)
    assert weights[-1] == pytest.approx(3.0, rel=1e-3)
    # The rows that look like the target are right half of the time, the others always.
    right = np.concatenate([np.ones(30), np.ones(5), np.zeros(5)])
    wanted = (30 / 3 + 5 * 3) / (30 / 3 + 10 * 3)
    assert importance_weighted_accuracy(right, weights) == pytest.approx(wanted, rel=1e-3)
    assert importance_weighted_accuracy([1, 0], [3, 1]) == 0.75


def test_equal_domains_weigh_all_rows_alike() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3))
    assert importance_weights(rows, rows) == pytest.approx(np.ones(50), abs=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "wanted"),
    [
        ([[0.5, 0.5], [0.5, 0.5]], np.log(2)),
        ([[1.0, 0.0], [0.0, 1.0]], 0.0),
        ([[1.0, 0.0], [0.25, 0.75]], -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / 2),
    ],
)
def test_entropy(probabilities: list[list[float]], wanted: float) -> None:
    assert prediction_entropy(probabilities) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("probabilities", "wanted"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], np.log(2)),
        ([[1.0, 0.0], [1.0, 0.0]], 0.0),
        ([[0.5, 0.5], [0.5, 0.5]], 0.0),
        ([[0.9, 0.1], [0.1, 0.9]], np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1)),
    ],
)
def test_information(probabilities: list[list[float]], wanted: float) -> None:
    assert answer_information(probabilities) == pytest.approx(wanted, abs=1e-12)


def test_one_class_everywhere_fools_importance_and_not_information() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, -100], [100, 100, 200])
    sure = 4 * rng.normal(size=400)
    # Right on two thirds of both domains; or class 1 on all of the target, and on the source for
    # few rows, nearly all of which are of that class.
    truth = np.concatenate([labels[:200], rng.integers(2, size=200)])
    fair = np.abs(sure) * np.where(rng.random(400) < 2 / 3, 2 * truth - 1, 1 - 2 * truth)
    collapsed = np.where(labels == -100, np.abs(sure), -np.abs(sure))
    collapsed[100:140], collapsed[0] = np.abs(sure[100:140]), 4.0
    scores = [label_free_scores(np.stack([-each, each], 1), labels) for each in (fair, collapsed)]
    assert scores[1]["importance"] > 0.9 > scores[0]["importance"]
    assert scores[1]["information"] < 0.1 < scores[0]["information"]


def test_density() -> None:
    # Three equal answers: each has two neighbours that are equally near.
    assert neighbourhood_density([[0.5, 0.5]] * 3) == pytest.approx(np.log(2))
    # Two groups of two, at right angles: at 0.05 only the one of the same group is near.
    groups = np.repeat(np.eye(2), 2, axis=0)
    near, far = np.exp(1 / 0.05), 1.0
    shares = np.array([near, far, far]) / (near + 2 * far)
    assert neighbourhood_density(groups) == pytest.approx(-(shares * np.log(shares)).sum())
    # At a temperature of 1 the others count too.
    shares = np.array([np.e, 1, 1]) / (np.e + 2)
    wanted = -(shares * np.log(shares)).sum()
    assert neighbourhood_density(groups, temperature=1.0) == pytest.approx(wanted)
    assert neighbourhood_density(np.tile(groups, (1000, 1))) == pytest.approx(np.log(999), rel=1e-6)


def test_scores_tell_the_domains_apart_by_the_label() -> None:
    logits = np.array([[9.0, 0.0], [0.0, 9.0], [0.0, 9.0], [1.0, 1.0], [1.0, 1.0]])
    found = label_free_scores(logits, [0, 0, 1, -100, -100])
    answers = probabilities_of(logits)
    weights = importance_weights(answers[:3], answers[3:])
    assert found == {
        "importance": pytest.approx((weights[0] + weights[2]) / weights.sum()),
        "information": pytest.approx(0.0),
        "entropy": pytest.approx(np.log(2)),
        "density": pytest.approx(0.0),
    }
    for labels in ([0] * 5, [-100] * 5):
        with pytest.raises(ValueError, match="labelled source rows and unlabelled target rows"):
            label_free_scores(logits, labels)
