"""Intervals against scipy, and their coverage."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from hf_transfer_plugin.decide.statistics import (
    item_bootstrap_interval,
    paired_t_interval,
    unpaired_t_interval,
)
from hf_transfer_plugin.errors import ConfigError, DataError

TRANSFER = [0.91, 0.90, 0.935, 0.88, 0.92]
CONTROL = [0.87, 0.885, 0.90, 0.86, 0.91]


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_paired_interval_is_that_of_scipy(confidence, seeds):
    first, second = np.array(TRANSFER[:seeds]), np.array(CONTROL[:seeds])
    expected = stats.ttest_rel(first, second).confidence_interval(confidence)
    found = paired_t_interval(first - second, confidence)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_unpaired_interval_is_that_of_scipy(confidence, seeds):
    second = CONTROL[:seeds]
    test = stats.ttest_ind(TRANSFER, second, equal_var=False)
    expected = test.confidence_interval(confidence)
    found = unpaired_t_interval(TRANSFER, second, confidence)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_spread_gives_an_interval_without_width():
    assert paired_t_interval([0.25, 0.25, 0.25], 0.95) == (0.25, 0.25)
    assert unpaired_t_interval([0.75, 0.75], [0.5, 0.5, 0.5], 0.95) == (0.25, 0.25)
    lower, upper = unpaired_t_interval([0.75, 0.75], [0.4, 0.6], 0.95)
    assert lower < 0.25 < upper


def test_the_item_bootstrap_agrees_with_drawing_items_one_by_one():
    rng = np.random.default_rng(0)
    first, second = rng.random((5, 300)) < 0.9, rng.random((3, 300)) < 0.86
    each = first.mean(axis=0) - second.mean(axis=0)
    drawn = each[rng.integers(0, 300, size=(20_000, 300))].mean(axis=1)
    expected = np.quantile(drawn, [0.025, 0.975])
    found = item_bootstrap_interval(first, second, 0.95, draws=20_000)
    assert found == pytest.approx(expected, abs=1.5e-3)
    wider = item_bootstrap_interval(first, second, 0.99, draws=20_000)
    assert wider[0] < found[0] < each.mean() < found[1] < wider[1]


def test_the_item_bootstrap_is_repeatable_and_reads_ones_as_right():
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 50)) < 0.9, rng.random((2, 50)) < 0.5
    one = item_bootstrap_interval(first, second, 0.95)
    assert item_bootstrap_interval(first.astype(int), second.tolist(), 0.95) == one
    assert item_bootstrap_interval(first, second, 0.95, seed=1) != one
    swapped = item_bootstrap_interval(second, first, 0.95)
    assert swapped == pytest.approx((-one[1], -one[0]), abs=0.02)


def test_the_item_bootstrap_of_equal_and_of_opposite_predictions_has_no_width():
    right = np.random.default_rng(0).random((3, 40)) < 0.5
    assert item_bootstrap_interval(right, right, 0.95) == (0.0, 0.0)
    assert item_bootstrap_interval(np.ones((2, 9)), np.zeros((1, 9)), 0.95) == (1.0, 1.0)


def test_the_item_bootstrap_covers_the_true_difference():
    rng = np.random.default_rng(2)
    missed_low = missed_high = 0
    for _ in range(1000):
        hard = rng.uniform(0.4, 0.9, size=200)  # an item is as hard for one plan as for the other
        first, second = rng.random((3, 200)) < hard + 0.05, rng.random((3, 200)) < hard
        lower, upper = item_bootstrap_interval(first, second, 0.95, draws=1000)
        missed_low += upper < 0.05
        missed_high += lower > 0.05
    tolerance = 3 * np.sqrt(0.025 * 0.975 / 1000)
    assert 0.0 < missed_low / 1000 < 0.025 + tolerance
    assert 0.0 < missed_high / 1000 < 0.025 + tolerance


def test_the_item_bootstrap_needs_little_memory_for_many_items():
    rng = np.random.default_rng(0)
    first, second = rng.random((5, 100_000)) < 0.9, rng.random((5, 100_000)) < 0.89
    tracemalloc.start()
    lower, upper = item_bootstrap_interval(first, second, 0.95)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.0 < lower < 0.01 < upper < 0.02
    assert peak < 40e6


RIGHT = np.ones((2, 5))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: paired_t_interval([0.1], 0.95), DataError, "1 differences"),
        (lambda: paired_t_interval([], 0.95), DataError, "0 differences"),
        (lambda: paired_t_interval([0.1, float("nan")], 0.95), DataError, "nan at position 1"),
        (lambda: paired_t_interval([0.1, 0.2], 95), ConfigError, "write 95 % as confidence=0.95"),
        (lambda: paired_t_interval([0.1, 0.2], 0.0), ConfigError, "confidence=0.0"),
        (lambda: paired_t_interval([0.1, 0.2], 1.0), ConfigError, "confidence=1.0"),
        (
            lambda: unpaired_t_interval([0.1, 0.2], [0.1], 0.95),
            DataError,
            "1 scores of the control",
        ),
        (lambda: unpaired_t_interval(["a", "b"], [0.1, 0.2], 0.95), DataError, "cannot read"),
        (lambda: unpaired_t_interval([[1.0, 2.0]], [0, 1], 0.9), DataError, r"of shape \(1, 2\)"),
        (lambda: item_bootstrap_interval(RIGHT[0], RIGHT, 0.9), DataError, r"\[seeds, items\]"),
        (lambda: item_bootstrap_interval(RIGHT / 2, RIGHT, 0.9), DataError, "for transfer"),
        (lambda: item_bootstrap_interval(RIGHT, RIGHT[:, :0], 0.9), DataError, "for control"),
        (lambda: item_bootstrap_interval(RIGHT, RIGHT[:, 1:], 0.9), DataError, "4 of the control"),
        (lambda: item_bootstrap_interval(RIGHT, RIGHT, 0.9, draws=0), ConfigError, "draws=0"),
    ],
)
def test_errors_say_what_is_wrong(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
