"""Scores of several labels an example and of real numbers, and which labels are taken for which."""

import numpy as np
import pytest

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select import feature_scores
from hf_transfer_plugin.select.scores import (
    SCORES,
    linear_probe_accuracy,
    linear_probe_r2,
    logme,
)
from hf_transfer_plugin.select.target_inputs import kind_of
from tests.select.planted import planted, planted_columns

TABLE, VALUES = planted_columns(2.0)
_, NOISE = planted_columns(0.0)
LABELS = (VALUES > 0.5).astype(int)


def one_hot(labels):
    return np.eye(labels.max() + 1)[labels]


def dense_evidence(features, targets):
    """Mean evidence over columns, from whole matrices."""
    examples, dimensions = features.shape
    gram, values = features.T @ features, []
    for target in targets.T:
        alpha = beta = 1.0
        for _ in range(11):
            before = alpha / beta
            inverse = np.linalg.inv(before * np.eye(dimensions) + gram)
            weights = inverse @ features.T @ target
            gamma = dimensions - before * np.trace(inverse)
            alpha = gamma / (weights @ weights + 1e-5)
            misfit = np.sum((features @ weights - target) ** 2)
            beta = (examples - gamma) / (misfit + 1e-5)
            if abs(alpha / beta - before) <= 1e-3 * before:
                break
        value = dimensions * np.log(alpha) + examples * np.log(beta / (2 * np.pi))
        value -= np.linalg.slogdet(alpha * np.eye(dimensions) + beta * gram)[1]
        value -= beta * misfit + alpha * weights @ weights
        values.append(value / 2 / examples)
    return np.mean(values)


def test_logme_of_one_hot_labels_is_that_of_the_classes():
    features, labels = planted(0.3)
    expected = logme(features, labels)
    assert logme(features, one_hot(labels)) == pytest.approx(expected, abs=1e-12)
    assert logme(features, one_hot(labels), target="values") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("targets", [VALUES, LABELS, VALUES[:, 0]])
def test_logme_of_columns_agrees_with_whole_matrices(targets):
    kind = "labels" if targets is LABELS else "values"
    expected = dense_evidence(TABLE, targets.reshape(200, -1).astype(float))
    assert logme(TABLE, targets, target=kind) == pytest.approx(expected, abs=1e-6)


def test_logme_of_columns_by_blocks(monkeypatch):
    whole = logme(TABLE, VALUES)
    monkeypatch.setattr(feature_scores, "BLOCK_EXAMPLES", 37)
    assert logme(TABLE, VALUES) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("score", [logme, linear_probe_r2])
def test_more_signal_in_values_scores_higher(score):
    found = []
    for signal in (0.0, 1.0, 4.0):
        table, values = planted_columns(signal)
        found.append(score(table, values / values.std(axis=0)))
    assert found == sorted(found)
    assert found[0] < found[1] < found[2]


def test_a_probe_of_several_labels_is_balanced():
    rare = np.zeros((1000, 2), dtype=int)
    rare[:100, 0] = rare[100:250, 1] = 1
    table, noise = planted_columns(0.0, 1000)
    # "no" everywhere would be right for 87 % of the labels
    assert linear_probe_accuracy(table, rare) == pytest.approx(0.5, abs=0.08)
    told = np.hstack([table, 5.0 * rare + 0.1 * noise[:, :2]])
    assert linear_probe_accuracy(told, rare) == 1.0
    noise = linear_probe_accuracy(TABLE, (NOISE > 0.5).astype(int))
    assert noise == pytest.approx(0.5, abs=0.1)
    assert linear_probe_accuracy(TABLE, LABELS) > 0.8


def test_labels_that_say_nothing_are_left_out():
    padded = np.hstack([LABELS, np.zeros((200, 1), int), np.ones((200, 1), int)])
    for score in (logme, linear_probe_accuracy):
        assert score(TABLE, padded) == pytest.approx(score(TABLE, LABELS))


def test_r2_of_noise_signal_and_of_the_mean():
    assert linear_probe_r2(TABLE, NOISE) == pytest.approx(0.0, abs=0.05)
    assert linear_probe_r2(TABLE, TABLE[:, :3] @ np.ones((3, 2))) == pytest.approx(1.0, abs=1e-6)
    # 2 parts of signal beside 1 of noise hold 4 / 5 of the variance
    assert linear_probe_r2(TABLE, VALUES) == pytest.approx(0.8, abs=0.08)
    assert linear_probe_r2(np.ones((200, 3)), VALUES) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-80, 1e-3, 1e3, 1e80])
def test_scale_and_offset_of_features_and_values_leave_r2_as_it_is(scale):
    expected = linear_probe_r2(TABLE, VALUES)
    assert linear_probe_r2(scale * TABLE, VALUES) == pytest.approx(expected)
    assert linear_probe_r2(TABLE, scale * VALUES) == pytest.approx(expected)
    assert linear_probe_r2(TABLE + 3.0, VALUES - 2.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("features", "values"),
    [
        (TABLE[:2], VALUES[:2]),
        (TABLE[:1], VALUES[:1]),
        (TABLE[:12].repeat(9, axis=1), VALUES[:12]),
        (np.repeat(TABLE[:2], 50, axis=0), np.repeat(VALUES[:2], 50, axis=0)),
        (TABLE.astype(np.float16), VALUES.astype(np.float16)),
        (TABLE[:, :1], VALUES[:, 0]),
    ],
)
def test_degenerate_values_score_or_are_refused(features, values):
    if len(features) == 1:
        for score in (logme, linear_probe_r2):
            with pytest.raises(DataError, match="targets of one value in 1 examples"):
                score(features, values, **({"target": "values"} if score is logme else {}))
        return
    assert np.isfinite(logme(features, values, target="values"))
    assert -10.0 < linear_probe_r2(features, values) <= 1.0


KINDS = {
    "integers": (np.arange(200) % 3, "classes"),
    "words": (np.array(["a", "b"] * 100), "classes"),
    "whole floats": (np.arange(200) % 3.0, "classes"),
    "0 and 1 on one axis": (LABELS[:, 0], "classes"),
    "columns of 0 and 1": (LABELS, "labels"),
    "columns of truth values": (LABELS.astype(bool), "labels"),
    "columns of real numbers": (VALUES, "values"),
}


@pytest.mark.parametrize("case", KINDS)
def test_labels_are_taken_for_what_they_are(case):
    labels, kind = KINDS[case]
    assert kind_of(labels, "logme", None) == kind
    assert np.isfinite(logme(TABLE, labels))


REFUSED = {
    "a column of classes": (logme, LABELS[:, :1], {}, "say what the columns are"),
    "columns of classes": (logme, np.arange(400).reshape(200, 2) % 3, {}, "an array of shape"),
    "values on one axis": (logme, VALUES[:, 0], {}, 'numbers with target="values"'),
    "values for a probe": (linear_probe_accuracy, VALUES, {}, "linear_probe_r2"),
    "said values": (linear_probe_accuracy, VALUES, {"target": "values"}, "target='values'"),
    "an unknown kind": (logme, LABELS, {"target": "sets"}, "got target='sets'"),
    "labels beyond 1": (logme, 2 * LABELS, {"target": "labels"}, "got labels from 0 to 2"),
    "NaN": (logme, np.where(VALUES > 3, np.nan, VALUES), {}, "NaN, infinite"),
    "lengths": (logme, VALUES[:-1], {}, "200 rows of features but 199 labels"),
    "no variation": (logme, np.ones((200, 2)), {}, "targets of one value in 200 examples"),
    "words for numbers": (linear_probe_r2, np.full((200, 1), "a"), {}, "cannot read the targets"),
    "three axes": (linear_probe_r2, VALUES[:, :, None], {}, "an array of shape (200, 4, 1)"),
    "one fold": (linear_probe_r2, VALUES, {"folds": 1}, "folds=1"),
}


def test_the_tables_are_complete():
    assert len(KINDS) == 7
    assert len(REFUSED) == 13


@pytest.mark.parametrize("case", REFUSED)
def test_labels_that_do_not_fit_are_refused(case):
    score, labels, options, text = REFUSED[case]
    with pytest.raises(DataError) as caught:
        score(TABLE, labels, **options)
    assert caught.value.arrived.startswith(f"{score.__name__} ")
    assert text in str(caught.value)


@pytest.mark.parametrize("name", sorted(SCORES))
@pytest.mark.parametrize("kind", ["labels", "values"])
def test_scores_of_classes_refuse_columns(name, kind):
    if kind in SCORES[name].targets:
        return
    table = np.abs(TABLE) / np.abs(TABLE).sum(axis=1, keepdims=True)
    with pytest.raises(DataError, match=f"^{name} "):
        SCORES[name](table, LABELS if kind == "labels" else VALUES)


def test_which_scores_take_what():
    takes = {name: score.targets for name, score in SCORES.items() if score.targets[1:]}
    assert takes == {
        "linear_probe_accuracy": ("classes", "labels"),
        "logme": ("classes", "labels", "values"),
    }
