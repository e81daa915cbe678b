"""Successive halving: bad candidates are left behind on few examples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from hf_transfer_plugin.select.resampling import confidence_set

__all__ = ["LOOKS", "nested_samples", "split_confidence", "survivors"]

LOOKS = 3  # a quarter, a half and all of the examples
FEWEST = 40  # examples below which a look tells nothing


def nested_samples(
    rows: Sequence[int], labels: Sequence[int], seed: int
) -> tuple[tuple[int, ...], ...]:
    """Return a quarter, half and all of the rows, each stratified and inside the next one.

    A part with fewer than 40 examples, or fewer than two a class, is left out.

    Args:
        rows: row numbers.
        labels: of these rows.
        seed: of the draws.

    References:
        Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
        Optimization" (2016).
    """
    from sklearn.model_selection import train_test_split

    samples = [tuple(rows)]
    class_of = dict(zip(rows, labels, strict=True))
    for _ in range(LOOKS - 1):
        inside = [class_of[row] for row in samples[0]]
        counts = Counter(inside)
        size = len(inside) // 2
        if size < max(FEWEST, 2 * len(counts)) or min(counts.values()) < 4:
            break
        half, _ = train_test_split(samples[0], train_size=size, random_state=seed, stratify=inside)
        samples.insert(0, tuple(sorted(half)))
    return tuple(samples)


def split_confidence(confidence: float, looks: int) -> float:
    """Return the confidence of each look, so that all of them together keep `confidence`."""
    return 1.0 - (1.0 - confidence) / looks


def survivors(
    full: Sequence[float], draws: Sequence[Sequence[float]], confidence: float
) -> tuple[int, ...]:
    """Return the numbers of the better half and of all that cannot be told from the best.

    Args:
        full: [candidates], scores.
        draws: [candidates, draws], scores on half samples.
        confidence: of the confidence set of this look.
    """
    order = sorted(range(len(full)), key=lambda number: -full[number])
    kept = set(order[: math.ceil(len(order) / 2)])
    kept |= set(confidence_set(draws, full, confidence).members)
    return tuple(sorted(kept))
