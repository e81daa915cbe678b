"""What changes a score and what does not: one table for all of them."""

import numpy as np
import pytest

from hf_transfer_plugin.select.scores import SCORES
from tests.select.planted import planted, rotation, softmax

# 1: the change leaves the score as it is; 0: it does not, and need not.
CHANGES = ("turned", "scaled", "moved", "columns scaled", "rows scaled", "rows moved about")
TABLE = {
    "gbc": (1, 0, 1, 0, 0, 1),
    "h_score": (1, 1, 1, 0, 0, 1),
    "knn_accuracy": (1, 1, 0, 0, 1, 1),
    "linear_probe_accuracy": (0, 1, 1, 1, 0, 0),
    "logme": (1, 0, 0, 0, 0, 1),
    "nleep": (1, 1, 1, 0, 0, 0),
}
CASES = [
    (name, change, bool(same))
    for name, row in TABLE.items()
    for change, same in zip(CHANGES, row, strict=True)
]
EXAMPLES, WIDTH = 211, 12


def features():
    """Classes that overlap, in columns of unequal size that hang together."""
    table, labels = planted(0.4, EXAMPLES, WIDTH, 4)
    mixed = table @ (np.eye(WIDTH) + 0.4 * rotation(WIDTH)) * np.linspace(0.5, 2.0, WIDTH)
    return mixed, labels


def changed(table, labels, change):
    rng = np.random.default_rng(3)
    if change == "turned":
        return table @ rotation(WIDTH, seed=5), labels
    if change == "scaled":
        return 1e-4 * table, labels
    if change == "moved":
        return table + np.linspace(-3, 3, WIDTH), labels
    if change == "columns scaled":
        return table * np.logspace(-1, 1, WIDTH), labels
    if change == "rows scaled":
        return table * rng.uniform(0.1, 10.0, (EXAMPLES, 1)), labels
    order = rng.permutation(EXAMPLES)
    return table[order], labels[order]


def test_the_table_is_complete():
    of_features = {name for name, score in SCORES.items() if score.needs == "features"}
    assert set(TABLE) == of_features
    assert len(CASES) == 36
    assert sum(same for _, _, same in CASES) == 19


@pytest.mark.parametrize(("name", "change", "same"), CASES)
def test_a_change_that_should_not_count_does_not_and_one_that_should_does(name, change, same):
    table, labels = features()
    before = SCORES[name](table, labels)
    after = SCORES[name](*changed(table, labels, change))
    if same:
        assert after == pytest.approx(before, rel=1e-7)
    else:
        assert abs(after - before) > 1e-4


@pytest.mark.parametrize("name", ["h_score", "knn_accuracy", "linear_probe_accuracy", "nleep"])
@pytest.mark.parametrize("scale", [1e-60, 1e-6, 1e6, 1e60])
def test_a_scale_far_from_one_counts_as_little(name, scale):
    table, labels = features()
    assert SCORES[name](scale * table, labels) == pytest.approx(
        SCORES[name](table, labels), rel=1e-6
    )


@pytest.mark.parametrize("name", ["logme", "h_score"])
def test_more_dimensions_than_examples_may_be_turned_too(name):
    table, labels = planted(0.3, 100, 300)
    turned = table @ rotation(300)
    assert SCORES[name](turned, labels) == pytest.approx(SCORES[name](table, labels), rel=1e-7)


@pytest.mark.parametrize("name", sorted(SCORES))
def test_the_order_of_columns_does_not_count(name):
    table, labels = features()
    if SCORES[name].needs == "source_probabilities":
        table = softmax(table)
    order = np.random.default_rng(1).permutation(WIDTH)
    assert SCORES[name](table[:, order], labels) == pytest.approx(SCORES[name](table, labels))


@pytest.mark.parametrize("name", ["leep", "nce"])
def test_the_order_of_examples_does_not_count_for_probabilities(name):
    table, labels = features()
    order = np.random.default_rng(1).permutation(EXAMPLES)
    shuffled = SCORES[name](softmax(table)[order], labels[order])
    assert shuffled == pytest.approx(SCORES[name](softmax(table), labels), abs=1e-12)


@pytest.mark.parametrize("name", sorted(SCORES))
@pytest.mark.parametrize("classes", [2, 1000])
def test_two_classes_and_a_thousand(name, classes):
    rng = np.random.default_rng(3)
    # LogME charges for each dimension, which a few examples of a class do not pay back.
    each = 100 if classes == 2 else 6 if name == "logme" else 2
    labels = rng.permutation(np.arange(each * classes) % classes)
    centres = rng.normal(size=(classes, 16))
    noise = rng.normal(size=(len(labels), 16))
    near, far = ((signal * centres[labels] + noise) for signal in (0.0, 12.0))
    if SCORES[name].needs == "source_probabilities":
        # as many source classes as classes, told by their distance to each centre
        near, far = (softmax(table @ centres.T) for table in (near, far))
    if (name, classes) == ("linear_probe_accuracy", 1000):
        rows = labels < 50  # a thousand classes take minutes
        near, far, labels = near[rows], far[rows], labels[rows]
    low, high = SCORES[name](near, labels), SCORES[name](far, labels)
    assert np.isfinite([low, high]).all()
    assert low < high
