"""Orders over all targets of a kind: how well they agree with fine-tuning, and their sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ranking_comparison.plan import FEATURE_SCORES
from ranking_comparison.quality import Quality, mean_ranks, order_quality, within_noise
from ranking_comparison.reading import Measured

__all__ = [
    "ELSEWHERE",
    "Covered",
    "best_pairs",
    "covered",
    "orders_of",
    "tuned_again",
    "with_elsewhere",
]

#: The order by accuracy on the other targets: the same for all data, but for its own target.
ELSEWHERE = "accuracy on the other targets"


@dataclass(frozen=True)
class Covered:
    """The confidence sets of one order.

    Attributes:
        targets: with such a set.
        best: of them, those whose set holds the candidate with the highest accuracy.
        level: those whose set holds a candidate that cannot be told from it.
        all_level: those whose set holds every such candidate.
        size: mean number of candidates in a set, as a share of all.
    """

    targets: int
    best: int
    level: int
    all_level: int
    size: float


def with_elsewhere(found: Sequence[Measured]) -> list[dict[str, NDArray[np.float64]]]:
    """Return the orders of each target, with that by accuracy on the other targets of its kind."""
    complete = []
    for own in found:
        places = np.zeros(len(own.names))
        for number, name in enumerate(own.names):
            gains = [
                each.accuracies[each.names.index(name)] - each.accuracies.mean()
                for each in found
                if each is not own and each.kind == own.kind and name in each.names
            ]
            places[number] = float(np.mean(gains)) if gains else 0.0
        complete.append({**own.orders, ELSEWHERE: places})
    return complete


def orders_of(found: Sequence[Measured]) -> dict[str, list[Quality]]:
    """Return order -> its quality on each target, for orders that every target has."""
    tables = with_elsewhere(found)
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return {
        name: [
            order_quality(table[name], each.accuracies)
            for table, each in zip(tables, found, strict=True)
        ]
        for name in names
    }


def tuned_again(found: Sequence[Measured]) -> list[Quality]:
    """Return how well one fine-tuning of each candidate foretells the others, for each target.

    Seeds are left out in turn and held against the mean of the rest; nothing is returned where a
    target has a single seed.
    """
    qualities = []
    for each in found:
        reached = np.array([table.mean(axis=1) for table in each.hits])
        seeds = reached.shape[1]
        if seeds < 2:
            return []
        turns = [
            order_quality(reached[:, seed], np.delete(reached, seed, axis=1).mean(axis=1))
            for seed in range(seeds)
        ]
        tau, regret = np.mean([(turn.tau, turn.regret) for turn in turns], axis=0)
        qualities.append(Quality(float(tau), float(regret)))
    return qualities


def best_pairs(found: Sequence[Measured]) -> list[tuple[str, list[Quality]]]:
    """Return pairs of feature scores, ordered by the mean weighted tau of their mean ranks."""
    pairs = []
    for one, other in combinations(FEATURE_SCORES, 2):
        qualities = [
            order_quality(mean_ranks(each.orders[one], each.orders[other]), each.accuracies)
            for each in found
        ]
        pairs.append((f"{one} + {other}", qualities))
    return sorted(pairs, key=lambda pair: -float(np.mean([each.tau for each in pair[1]])))


def covered(found: Sequence[Measured], order: str, seed_deviation: float) -> Covered | None:
    """Return how the confidence sets of an order did; None where it has none."""
    rows = [each for each in found if order in each.sets]
    if not rows:
        return None
    best = level = all_level = 0
    for each in rows:
        members = set(each.sets[order])
        top = {
            n for n, a in zip(each.names, each.accuracies, strict=True) if a == max(each.accuracies)
        }
        near = within_noise(each.hits, seed_deviation)
        equal = {name for name, close in zip(each.names, near, strict=True) if close}
        best += bool(top & members)
        level += bool(equal & members)
        all_level += equal <= members
    size = float(np.mean([len(each.sets[order]) / len(each.names) for each in rows]))
    return Covered(len(rows), best, level, all_level, size)
