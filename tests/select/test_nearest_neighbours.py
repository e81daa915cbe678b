"""Neighbours of many examples are those of a comparison of everything in float64."""

import numpy as np
import pytest

from hf_transfer_plugin.select import nearest_neighbours as module
from hf_transfer_plugin.select.nearest_neighbours import nearest_neighbours

RNG = np.random.default_rng(0)


def units(table):
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-300)


PLAIN = RNG.normal(size=(700, 24))
TABLES = {
    "noise": PLAIN,
    "pairs of copies": np.repeat(PLAIN[:350], 2, axis=0),
    "six copies each": np.tile(PLAIN[:100], (6, 1)),
    "nearer than float32 can tell": PLAIN[:7].repeat(100, axis=0) + 1e-7 * PLAIN,
    "nearer than 12 digits can tell": PLAIN[:7].repeat(100, axis=0) + 1e-14 * PLAIN,
    "some rows zero": PLAIN * (RNG.random((700, 1)) > 0.1),
    "one column": PLAIN[:, :1],
    "positive": np.abs(PLAIN) + 5.0,
}


@pytest.fixture
def few_at_a_time(monkeypatch):
    """Many blocks, of which the last is short, and a small sample."""
    monkeypatch.setattr(module, "DIRECT_EXAMPLES", 10)
    monkeypatch.setattr(module, "BLOCK", 97)
    monkeypatch.setattr(module, "SAMPLE", 50)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 101)


def test_the_table_is_complete():
    assert len(TABLES) == 8


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("number", [1, 3])
def test_neighbours_found_by_blocks_are_those_of_a_direct_comparison(case, number, few_at_a_time):
    table = units(TABLES[case])
    pairs = module._promising(table, number)
    expected = module._direct(table, number)
    assert pairs is not None
    np.testing.assert_array_equal(module._nearest_of(table, pairs, number), expected)
    np.testing.assert_array_equal(nearest_neighbours(table, number), expected)


def test_too_many_equals_are_compared_directly(few_at_a_time, monkeypatch):
    monkeypatch.setattr(module, "MOST_PAIRS_PER_EXAMPLE", 20)
    table = np.ones((200, 4)) / 2.0
    assert module._promising(table, 3) is None
    np.testing.assert_array_equal(nearest_neighbours(table, 3)[:5, 0], [1, 0, 0, 0, 0])


def test_few_pairs_are_looked_at_twice(few_at_a_time):
    table = units(PLAIN)
    rows, _, _ = module._promising(table, 3)
    assert 3 * 700 <= len(rows) < 700 * 700 / 4
