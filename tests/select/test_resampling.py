"""Half samples have the spread of the whole one, and the confidence set holds the truly best."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.resampling import (
    confidence_set,
    half_samples,
    label_permutation_null,
    leads,
)
from hf_transfer_plugin.select.scores import SCORES
from tests.select.planted import planted

LABELS = np.array([0] * 10 + [1] * 7 + [2] * 3 + [3])


def test_halves_are_stratified_without_copies_and_seeded() -> None:
    halves = half_samples(LABELS, draws=200, seed=3)
    assert len(halves) == 200
    counts = np.array([np.bincount(LABELS[half], minlength=4) for half in halves])
    assert {tuple(sorted(set(column))) for column in counts.T} == {(5,), (3, 4), (1, 2), (1,)}
    assert counts[:, 1].mean() == pytest.approx(3.5, abs=0.15)
    assert all(len(set(half)) == len(half) and (np.diff(half) > 0).all() for half in halves)
    again, other = half_samples(LABELS, 200, 3), half_samples(LABELS, 200, 4)
    assert all(np.array_equal(a, b) for a, b in zip(halves, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(halves, other, strict=True))


def test_halves_spread_as_independent_samples_do() -> None:
    """The score is a smooth one, so that the truth is known from many samples."""

    def score(values: np.ndarray) -> float:
        return float(values.mean() ** 2 + values.std())

    generator = np.random.default_rng(0)
    samples = generator.normal(1.0, 2.0, (400, 200))
    truth = np.std([score(sample) for sample in samples])
    labels = np.zeros(200, dtype=int)
    found = [
        np.std([score(sample[half]) for half in half_samples(labels, 100, number)])
        for number, sample in enumerate(samples[:30])
    ]
    assert np.mean(found) == pytest.approx(truth, rel=0.1)


def _tables(signals: list[float], seed: int, examples: int = 90) -> list[np.ndarray]:
    """Return features of candidates that see the same examples through more or less noise."""
    generator = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(3, 8))[np.arange(examples) % 3]
    shared = generator.normal(size=(examples, 8))
    return [s * means + shared + generator.normal(size=(examples, 8)) for s in signals]


# name -> (signals, how many candidates are the best, fewest and most in the set on average)
WORLDS: dict[str, tuple[list[float], int, float, float]] = {
    "all alike": ([0.8, 0.8, 0.8, 0.8], 4, 3.5, 4.0),
    "close": ([0.8, 0.7, 0.6, 0.2], 1, 1.5, 3.5),
    "far": ([1.5, 0.6, 0.3, 0.1], 1, 1.0, 1.3),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_set_holds_the_truly_best(name: str) -> None:
    assert len(WORLDS) == 3
    signals, alike, fewest, most = WORLDS[name]
    worlds, held, size = 60, np.zeros(len(signals)), 0
    score, labels = SCORES["knn_accuracy"], np.arange(90) % 3
    for seed in range(worlds):
        tables = _tables(signals, seed)
        halves = half_samples(labels, 50, seed)
        draws = [[score(table[half], labels[half]) for half in halves] for table in tables]
        full = [score(table, labels) for table in tables]
        members = confidence_set(draws, full, 0.9).members
        held[list(members)] += 1
        size += len(members)
    assert (held[:alike] / worlds >= 0.9).all()
    assert fewest <= size / worlds <= most


def test_paired_differences_decide_and_not_the_intervals() -> None:
    """Two candidates share nearly all of their noise, so a small gap tells them apart."""
    noise = np.random.default_rng(0).normal(size=100)
    own = 0.01 * np.random.default_rng(1).normal(size=(2, 100))
    found = confidence_set([noise + own[0], noise + own[1]], [1.0, 1.2], 0.9)
    assert found.members == (1,)
    assert found.lower[1] < found.upper[0]
    alone = confidence_set([noise], [1.0], 0.9)
    assert alone.members == (0,) and alone.lower[0] < 1.0 < alone.upper[0]


def test_equal_candidates_without_noise_are_tied_and_worse_ones_are_not() -> None:
    found = confidence_set(np.ones((3, 10)), [0.5, 0.9, 0.9], 0.9)
    assert found.members == (1, 2)
    assert found.lower == found.upper == (0.5, 0.9, 0.9)


def test_a_larger_confidence_gives_a_larger_set_and_wider_intervals() -> None:
    draws = np.random.default_rng(0).normal(size=(5, 200))
    full = [0.0, 0.5, 1.0, 3.0, 3.5]
    small, large = (confidence_set(draws, full, level) for level in (0.5, 0.99))
    assert small.members == (4, 3) and set(small.members) < set(large.members)
    assert all(a > b for a, b in zip(small.lower, large.lower, strict=True))


def test_leads_calls_pairs_only_beyond_the_noise() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 200))
    found = leads(draws, [10.0, 0.0, 0.5, 20.0], [0, 1], [2, 3], 0.9)
    assert found.tolist() == [[1, -1], [0, -1]]


def test_leads_rarely_errs_when_all_are_alike() -> None:
    wrong = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        draws = generator.normal(size=(6, 100))
        full = generator.normal(size=6)
        wrong += bool(leads(draws, full, range(3), range(3, 6), 0.9).any())
    assert 0.02 <= wrong / 200 <= 0.16


@pytest.mark.parametrize("score", ["logme", "h_score", "knn_accuracy"])
def test_shuffled_labels_give_the_score_of_no_signal(score: str) -> None:
    features, labels = planted(1.0, examples=120, dimensions=10)
    null = label_permutation_null(partial(SCORES[score], features), labels, 20, 0)
    assert null.shape == (20,) and null.std() > 0
    assert SCORES[score](features, labels) > null.max()
    noise, _ = planted(0.0, examples=120, dimensions=10, seed=1)
    silent = label_permutation_null(partial(SCORES[score], noise), labels, 20, 0)
    assert abs(SCORES[score](noise, labels) - silent.mean()) <= 4 * silent.std()
    again = label_permutation_null(partial(SCORES[score], features), labels, 20, 0)
    assert np.array_equal(null, again)


# name -> what is refused
REFUSED: dict[str, Callable[[], object]] = {
    "no draws": lambda: confidence_set(np.empty((2, 0)), [0.0, 1.0], 0.9),
    "one draw": lambda: confidence_set([[0.0], [1.0]], [0.0, 1.0], 0.9),
    "other number of scores": lambda: confidence_set(np.zeros((2, 5)), [0.0], 0.9),
    "not finite": lambda: confidence_set([[0.0, np.nan]], [0.0], 0.9),
    "no candidate": lambda: confidence_set(np.empty((0, 5)), [], 0.9),
    "confidence of 1": lambda: confidence_set(np.zeros((2, 5)), [0.0, 1.0], 1.0),
    "one example": lambda: half_samples([0], 5),
    "labels with two axes": lambda: half_samples([[0, 1]], 5),
    "one half": lambda: half_samples([0, 1], 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_resampled(name: str) -> None:
    assert len(REFUSED) == 9
    with pytest.raises(DataError):
        REFUSED[name]()
