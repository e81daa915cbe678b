"""The nearest neighbours of every example, exact for many examples as well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.select.score_inputs import Floats, Integers

__all__ = ["nearest_neighbours"]

CHUNK_SIMILARITIES = 16_000_000  # 128 MB at a time
DIRECT_EXAMPLES = 4096
SAMPLE = 2048
BLOCK = 2048
MOST_PAIRS_PER_EXAMPLE = 1000
PAIRS_AT_ONCE = 8192
DIGITS = 12

Singles = NDArray[np.float32]
Pairs = tuple[Integers, Integers, Singles]


def nearest_neighbours(units: Floats, number: int) -> Integers:
    """Return the most similar other examples of each, nearest first.

    Dot products are compared to 12 digits, and the earlier of two equally near examples counts
    as nearer. Many examples are first compared in float32, each pair once; whatever its rounding
    could hide is compared again in float64.

    Args:
        units: [examples, features], rows of length one (or zero).
        number: of neighbours, fewer than there are examples.

    Returns:
        [examples, number], numbers of examples.
    """
    pairs = _promising(units, number) if len(units) > DIRECT_EXAMPLES else None
    return _direct(units, number) if pairs is None else _nearest_of(units, pairs, number)


def _direct(units: Floats, number: int) -> Integers:
    """Compare everything in float64."""
    nearest = np.empty((len(units), number), dtype=np.intp)
    chunk = max(1, CHUNK_SIMILARITIES // len(units))
    for start in range(0, len(units), chunk):
        rows = np.arange(start, min(start + chunk, len(units)))
        similarity = units[rows] @ units.T
        np.round(similarity, DIGITS, out=similarity)
        own = np.arange(len(rows))
        similarity[own, rows] = -np.inf
        for rank in range(number):
            found = similarity.argmax(axis=1)  # the first of equals, unlike a partition
            nearest[rows, rank] = found
            similarity[own, found] = -np.inf
    return nearest


def _promising(units: Floats, number: int) -> Pairs | None:
    """Return pairs (example, neighbour, float32 similarity) that hold the nearest ones of each.

    None when there are too many, as among many copies of one example.
    """
    singles = units.astype(np.float32)
    floor = _floor(singles, number) - np.float32(2.0 * _rounding(units))
    found: list[Pairs] = []
    kept = 0
    for first in range(0, len(units), BLOCK):
        for second in range(first, len(units), BLOCK):
            pairs = _above(singles, floor, first, second)
            kept += len(pairs[0])
            if kept > MOST_PAIRS_PER_EXAMPLE * len(units):
                return None
            found.append(pairs)
    rows, others, values = (np.concatenate(column) for column in zip(*found, strict=True))
    return rows, others, values


def _rounding(units: Floats) -> float:
    """Return how far a float32 dot product of two rows may be off, and the last digit compared."""
    return float((units.shape[1] + 4) * 2.0**-24 + 10.0**-DIGITS)


def _floor(singles: Singles, number: int) -> Singles:
    """Return for each example a similarity that `number` others reach: those of a sample."""
    sample = np.arange(0, len(singles), -(-len(singles) // SAMPLE))
    floor = np.empty(len(singles), dtype=np.float32)
    for start in range(0, len(singles), BLOCK):
        similarity = singles[start : start + BLOCK] @ singles[sample].T
        inside = (sample >= start) & (sample < start + BLOCK)
        similarity[sample[inside] - start, np.flatnonzero(inside)] = -np.inf
        floor[start : start + BLOCK] = np.partition(similarity, -number, axis=1)[:, -number]
    return floor


def _above(singles: Singles, floor: Singles, first: int, second: int) -> Pairs:
    """Return the pairs of two blocks that reach the floor of either, in both directions."""
    similarity = singles[first : first + BLOCK] @ singles[second : second + BLOCK].T
    wanted = similarity >= floor[first : first + BLOCK, None]
    wanted |= similarity >= floor[second : second + BLOCK]
    flat = np.flatnonzero(wanted)
    one, other = np.divmod(flat, similarity.shape[1])
    one, other, values = one + first, other + second, similarity.ravel()[flat]
    if first == second:
        below = one < other
        one, other, values = one[below], other[below], values[below]
    rows, others = np.concatenate([one, other]), np.concatenate([other, one])
    values = np.concatenate([values, values])
    reach = values >= floor[rows]
    return rows[reach], others[reach], values[reach]


def _nearest_of(units: Floats, pairs: Pairs, number: int) -> Integers:
    """Return the nearest neighbours among pairs that hold them, compared in float64."""
    rows, others, values = pairs
    last = values[_ranked(rows, -values, others, number)[:, -1]]
    close = values >= (last - np.float32(2.0 * _rounding(units)))[rows]
    rows, others = rows[close], others[close]
    exact = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        exact[part] = np.einsum("ij,ij->i", units[rows[part]], units[others[part]])
    return others[_ranked(rows, -np.round(exact, DIGITS), others, number)]


def _ranked(rows: Integers, keys: NDArray[np.floating], others: Integers, number: int) -> Integers:
    """Return the places of the `number` smallest keys of each row: [examples, number]."""
    order: Integers = np.lexsort((others, keys, rows))
    starts = np.searchsorted(rows[order], np.arange(int(rows.max()) + 1))
    places: Integers = order[starts[:, None] + np.arange(number)]
    return places
