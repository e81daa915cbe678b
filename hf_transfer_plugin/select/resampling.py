"""How far a score can be trusted: half samples, a confidence set, and a null of shuffled labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.errors import DataError

__all__ = [
    "ConfidenceSet",
    "confidence_set",
    "half_samples",
    "label_permutation_null",
    "leads",
    "paired_differences",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
DRAWS = 100
PERMUTATIONS = 20
ROUNDING = 1e-9  # share of a score below which a spread is rounding


def half_samples(labels: ArrayLike, draws: int = DRAWS, seed: int = 0) -> list[Integers]:
    """Draw halves of the examples without replacement, each class halved.

    The score of a half deviates from the mean over halves about as much as the score of a whole
    sample deviates from its expectation (the delete-d jackknife with d = examples / 2). Nothing
    is drawn twice, as a bootstrap would: a copy of an example is its own nearest neighbour.

    Args:
        labels: [examples], integers or strings.
        draws: number of halves.
        seed: of the draws.

    Returns:
        One sorted array of example numbers for each draw. A class with an odd number of examples
        gives one more or one fewer by chance, and at least one.

    References:
        Shao and Wu, "A general theory for jackknife variance estimation" (1989); Politis and
        Romano, "Large sample confidence regions based on subsamples under minimal assumptions"
        (1994).
    """
    classes = np.asarray(labels)
    if classes.ndim != 1 or len(classes) < 2 or draws < 2:
        raise DataError(
            arrived=f"labels of shape {classes.shape} and {draws} draws",
            expected="one label an example, at least 2 examples and 2 draws",
            action="pass the labels of the sample that is scored",
        )
    generator = np.random.default_rng(seed)
    _, numbers = np.unique(classes, return_inverse=True)
    members = [np.flatnonzero(numbers == number) for number in range(int(numbers.max()) + 1)]
    halves = []
    for _ in range(draws):
        picked = []
        for member in members:
            size = max(1, (len(member) + int(generator.integers(2))) // 2)
            picked.append(generator.permutation(member)[:size])
        halves.append(np.sort(np.concatenate(picked)))
    return halves


@dataclass(frozen=True)
class ConfidenceSet:
    """Which candidates cannot be told from the best, and the interval of each.

    Attributes:
        members: their numbers, best first.
        lower, upper: [candidates], intervals that hold all expected scores at once.
        confidence: of both.
    """

    members: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    confidence: float


def confidence_set(draws: ArrayLike, full: ArrayLike, confidence: float = 0.9) -> ConfidenceSet:
    """Return the candidates that cannot be told from the best.

    A candidate leaves the set when another one is better by more than the noise of their paired
    difference; how much that is follows from the largest of all its differences in each draw, so
    that the truly best one stays in the set with probability `confidence`, however many there
    are. Differences are paired, so intervals that overlap do not make a tie.

    Args:
        draws: [candidates, draws], scores on the same half samples (see `half_samples`).
        full: [candidates], scores on the whole sample.
        confidence: probability that the set holds the truly best, and that the intervals hold
            every candidate's expected score at once; in (0, 1).

    Raises:
        DataError: for shapes that do not fit, scores that are not finite, or a confidence outside
            (0, 1).

    References:
        Hsu, "Simultaneous confidence intervals for all distances from the best" (1981).
    """
    table, scores = _checked(draws, full, confidence)
    moved = table - table.mean(axis=1, keepdims=True)
    members = []
    for number in range(len(scores)):
        ahead = np.delete(scores, number) - scores[number]
        noise = np.delete(moved, number, axis=0) - moved[number]
        margin = _margins(noise, confidence, sign=1)
        if np.all(ahead <= margin):
            members.append(number)
    wide = _margins(moved, confidence, sign=0)
    return ConfidenceSet(
        tuple(sorted(members, key=lambda each: -scores[each])),
        tuple((scores - wide).tolist()),
        tuple((scores + wide).tolist()),
        confidence,
    )


def leads(
    draws: ArrayLike, full: ArrayLike, one: Sequence[int], other: Sequence[int], confidence: float
) -> NDArray[np.intp]:
    """Tell for each pair whether one beats the other by more than the noise.

    Args:
        draws: as for `paired_differences`.
        full: as there.
        one: as there.
        other: as there.
        confidence: as there.

    Returns:
        [one, other]: 1 where one is ahead, -1 where the other is, 0 where they cannot be told
        apart.
    """
    gap, margin = paired_differences(draws, full, one, other, confidence)
    return np.where(np.abs(gap) > margin, np.sign(gap), 0).astype(np.intp)


def paired_differences(
    draws: ArrayLike, full: ArrayLike, one: Sequence[int], other: Sequence[int], confidence: float
) -> tuple[Floats, Floats]:
    """Return how far each row is ahead of others, and how much of that may be noise.

    Args:
        draws: [rows, draws], scores on the same half samples.
        full: [rows], scores on the whole sample.
        one: numbers of rows; all pairs hold at once, so the best may be looked up afterwards.
        other: numbers of the rows that each of them is compared with.
        confidence: probability that no pair is called wrongly.

    Returns:
        Differences and half the widths of their intervals, both [one, other].
    """
    table, scores = _checked(draws, full, confidence)
    moved = table - table.mean(axis=1, keepdims=True)
    noise = (moved[list(one)][:, None] - moved[list(other)][None]).reshape(-1, table.shape[1])
    margin = _margins(noise, confidence, sign=0).reshape(len(one), len(other))
    return scores[list(one)][:, None] - scores[list(other)][None], margin


def label_permutation_null(
    score: Callable[[NDArray[Any]], float],
    labels: ArrayLike,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Floats:
    """Return scores of the same features with shuffled labels: what they give without a signal.

    Args:
        score: of the features, given labels [examples].
        labels: [examples], the true ones.
        permutations: number of shufflings.
        seed: of the shufflings.

    Returns:
        [permutations].

    References:
        Ojala and Garriga, "Permutation tests for studying classifier performance" (2010).
    """
    generator = np.random.default_rng(seed)
    true = np.asarray(labels)
    found = [score(generator.permutation(true)) for _ in range(permutations)]
    return np.asarray(found, dtype=np.float64)


def _checked(draws: ArrayLike, full: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    table = np.asarray(draws, dtype=np.float64)
    scores = np.asarray(full, dtype=np.float64)
    fits = table.ndim == 2 and table.shape[1] >= 2 and scores.shape == table.shape[:1]
    finite = np.isfinite(table).all() and np.isfinite(scores).all()
    if not (fits and len(scores) and finite and 0 < confidence < 1):
        raise DataError(
            arrived=f"draws of shape {table.shape}, scores of shape {scores.shape}, "
            f"confidence {confidence:g}, {'finite' if finite else 'some not finite'}",
            expected="finite scores [candidates, draws] and [candidates], 2 draws or more, and a "
            "confidence between 0 and 1",
            action="score every candidate on the same half samples",
        )
    return table, scores


def _margins(noise: Floats, confidence: float, sign: int) -> Floats:
    """Return how far each row may be from 0 by chance, all rows at once.

    Args:
        noise: [rows, draws], centred.
        confidence: that no row goes further.
        sign: 1 counts what is above 0 alone, 0 both sides.
    """
    if not len(noise):
        return np.zeros(0)
    spread: Floats = noise.std(axis=1, ddof=1)
    scale = np.where(spread > ROUNDING * (np.abs(noise).max() + ROUNDING), spread, np.inf)
    units = noise / scale[:, None]
    largest = (units if sign else np.abs(units)).max(axis=0)
    critical = float(np.quantile(largest, confidence, method="higher"))
    return np.where(np.isinf(scale), 0.0, critical * spread)
