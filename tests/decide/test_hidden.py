"""Test examples that transfer loses: counts, order, and what noise alone would give."""

import numpy as np
import pytest

from hf_transfer_plugin.decide.hidden import hidden_harm


def test_the_majority_of_seeds_counts_and_the_worst_come_first():
    control = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 0, 1]], dtype=bool)
    transfer = np.array([[0, 0, 1, 0, 1, 0], [0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1]], dtype=bool)
    found = hidden_harm(transfer, control)
    assert (found.examples, found.seeds, found.lost, found.won) == (6, 3, 3, 1)
    assert found.lost_examples == (3, 0, 1)
    assert found.won_examples == (4,)
    # of shares 2/3 and 1/3, 2 or 3 successes of probability 2/9 in 3 draws
    each = 3 * (2 / 9) ** 2 * (7 / 9) + (2 / 9) ** 3
    assert found.expected == pytest.approx(2 * each)


def test_half_of_the_seeds_is_no_majority():
    control = np.ones((2, 1), dtype=bool)
    transfer = np.array([[True], [False]])
    assert hidden_harm(transfer, control).lost == 0
    assert hidden_harm(np.zeros((2, 1), dtype=bool), control).lost == 1


def test_at_most_twenty_examples_are_kept():
    control = np.ones((3, 50), dtype=bool)
    found = hidden_harm(~control, control)
    assert (found.lost, found.lost_examples) == (50, tuple(range(20)))
    assert (found.won, found.won_examples, found.expected) == (0, (), 0.0)


def test_a_control_without_noise_loses_nothing_to_itself():
    control = np.random.default_rng(0).random((1, 40)).repeat(5, axis=0) < 0.5
    assert hidden_harm(control, control).expected == 0.0


@pytest.mark.parametrize("shape", [(0.3, 0.1), (2.0, 0.5), (5.0, 1.0)])
def test_what_noise_alone_gives_is_foretold(shape):
    rng = np.random.default_rng(0)
    right = rng.beta(*shape, size=200_000)
    transfer, control = rng.random((2, 5, 200_000)) < right
    found = hidden_harm(transfer, control)
    assert found.expected == pytest.approx(found.lost, rel=0.1)
    assert found.expected == pytest.approx(found.won, rel=0.1)
