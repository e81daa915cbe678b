"""What arrives at a score: degenerate features that must still score, and errors that explain."""

import math
import warnings

import numpy as np
import pytest

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.scores import SCORES, h_score, knn_accuracy, leep, logme

NAMES = sorted(SCORES)
FEATURE_SCORES = [name for name in NAMES if SCORES[name].needs == "features"]
BOUNDS = {
    "gbc": lambda classes: (-classes * (classes - 1) / 2, 0.0),
    "h_score": lambda classes: (0.0, classes - 1.0),
    "knn_accuracy": lambda classes: (0.0, 1.0),
    "linear_probe_accuracy": lambda classes: (0.0, 1.0),
    "logme": lambda classes: (-100.0, 100.0),  # the scale counts
    "nleep": lambda classes: (-math.log(classes) - 1e-9, 0.0),
}

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(60, 12))
LABELS = np.arange(60) % 3
DEGENERATE = {
    "constant": (np.full((60, 12), 0.1), LABELS),
    "zero": (np.zeros((60, 12)), LABELS),
    "nearly constant": (0.1 + 1e-17 * TABLE, LABELS),
    "tiny": (1e-90 * TABLE, LABELS),
    "huge": (1e90 * TABLE, LABELS),
    "some columns constant": (np.hstack([TABLE, np.full((60, 3), 7.0)]), LABELS),
    "one dimension": (TABLE[:, :1], LABELS),
    "one example per class": (TABLE[:4], np.arange(4)),
    "two examples": (TABLE[:2], np.arange(2)),
    "a class with one example": (TABLE, np.where(np.arange(60) == 7, 1, 0)),
    "fewer examples than dimensions": (RNG.normal(size=(12, 200)), np.arange(12) % 3),
    "duplicate rows": (np.repeat(TABLE[:6], 10, axis=0), LABELS),
    "two distinct rows": (np.repeat(TABLE[:2], 30, axis=0), np.arange(60) // 30),
    "duplicate columns": (np.hstack([TABLE, TABLE]), LABELS),
    "float16": (TABLE.astype(np.float16), LABELS),
    "integers": (np.rint(5 * TABLE).astype(np.int8), LABELS),
    "one outlier": (np.vstack([TABLE[:-1], 1e8 * np.ones((1, 12))]), LABELS),
}


def test_the_tables_are_complete():
    assert len(DEGENERATE) == 17
    assert sorted(BOUNDS) == FEATURE_SCORES
    assert len(FEATURE_SCORES) == 6


@pytest.mark.parametrize("name", FEATURE_SCORES)
@pytest.mark.parametrize("case", list(DEGENERATE))
def test_degenerate_features_score_without_a_warning(name, case):
    features, labels = DEGENERATE[case]
    low, high = BOUNDS[name](len(set(labels.tolist())))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = SCORES[name](features, labels)
    assert math.isfinite(score)
    assert low - 1e-9 <= score <= high + 1e-9


def test_features_that_say_nothing_score_as_nothing():
    features, labels = DEGENERATE["constant"]
    expected = {
        "gbc": -3.0,
        "h_score": 0.0,
        "knn_accuracy": 19 / 60,  # the first three examples name the class, but not their own
        "linear_probe_accuracy": 1 / 3,
        "nleep": -math.log(3),
    }
    found = {name: SCORES[name](features, labels) for name in expected}
    assert found == pytest.approx(expected, abs=1e-9)


def test_float16_scores_like_float64():
    for name in FEATURE_SCORES:
        half = SCORES[name](TABLE.astype(np.float16), LABELS)
        assert half == pytest.approx(SCORES[name](TABLE, LABELS), abs=0.02)


@pytest.mark.parametrize("name", ["leep", "nce"])
def test_float16_probabilities_of_many_classes_are_accepted(name):
    logits = RNG.normal(size=(60, 1000)) * 3
    wide = np.exp(logits)
    wide /= wide.sum(axis=1, keepdims=True)
    assert SCORES[name](wide.astype(np.float16), LABELS) == pytest.approx(
        SCORES[name](wide, LABELS), abs=1e-3
    )


def with_value(value):
    table = np.full((60, 12), 1 / 12)
    table[5, 3] = value
    return table


BAD = {
    "NaN": (
        with_value(np.nan),
        LABELS,
        "NaN, infinite or beyond 1e+100; the first is nan in row 5",
    ),
    "infinity": (with_value(np.inf), LABELS, "the first is inf in row 5, column 3"),
    "one axis": (TABLE[:, 0], LABELS, "an array of shape (60,)"),
    "three axes": (TABLE[:, :, None], LABELS, "an array of shape (60, 12, 1)"),
    "no column": (TABLE[:, :0], LABELS, "an array of shape (60, 0)"),
    "no row": (TABLE[:0], LABELS[:0], "an array of shape (0, 12)"),
    "words": (np.full((60, 12), "a"), LABELS, "cannot read the"),
    "complex": (TABLE * 1j, LABELS, "values of type complex128"),
    "ragged": ([[1.0], [1.0, 2.0]], [0, 1], "cannot read the"),
    "lengths": (with_value(1 / 12), LABELS[:-1], "60 rows of"),
    "one class": (with_value(1 / 12), np.ones(60, dtype=int), "only the class 1 in 60 examples"),
    "one class by name": (with_value(1 / 12), ["a"] * 60, "only the class 'a' in 60 examples"),
    "label axes": (with_value(1 / 12), LABELS[:, None], "an array of shape (60, 1)"),
    "label NaN": (with_value(1 / 12), np.where(LABELS == 1, np.nan, 0.0), "NaN or not whole"),
    "regression": (with_value(1 / 12), np.linspace(0, 1, 60), "NaN or not whole"),
    "label None": (with_value(1 / 12), [None, "a", *["b"] * 58], "cannot read the labels"),
}


def test_the_table_of_errors_is_complete():
    assert len(BAD) == 16


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_says_what_arrived_what_was_expected_and_what_to_do(name, case):
    table, labels, text = BAD[case]
    with pytest.raises(DataError) as caught:
        SCORES[name](table, labels)
    assert caught.value.arrived.startswith(f"{name} ")
    assert text in caught.value.arrived
    assert caught.value.expected
    assert caught.value.action
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("name", ["leep", "nce"])
@pytest.mark.parametrize("table", [TABLE, np.full((60, 4), 0.5), np.tile([1.5, -0.5], (60, 1))])
def test_logits_are_not_taken_for_probabilities(name, table):
    with pytest.raises(DataError, match="apply softmax to the logits"):
        SCORES[name](table, LABELS)


def test_a_tensor_on_the_tape_is_answered_with_the_way_off_it():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(TABLE)
    assert logme(tensor, torch.tensor(LABELS)) == logme(TABLE, LABELS)
    with pytest.raises(DataError, match=r"tensor\.detach\(\)\.float\(\)\.cpu\(\)\.numpy\(\)"):
        h_score(tensor.requires_grad_(), LABELS)
    with pytest.raises(DataError, match="cannot read the features"):
        h_score(torch.tensor(TABLE, dtype=torch.bfloat16), LABELS)


def test_fewer_than_two_folds_hold_nothing_out():
    with pytest.raises(DataError, match="folds=1"):
        SCORES["linear_probe_accuracy"].compute(TABLE, LABELS, folds=1)


def test_whole_numbers_in_floats_and_truth_values_are_labels():
    whole = LABELS.astype(np.float32)
    assert knn_accuracy(TABLE, whole) == knn_accuracy(TABLE, LABELS)
    assert leep([[0.5, 0.5], [1.0, 0.0]], [True, False]) <= 0.0
