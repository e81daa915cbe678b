"""How much more it would take to settle a comparison that is open."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hf_transfer_plugin.decide.checks import check_level, check_margin, finite_scores
from hf_transfer_plugin.decide.outcomes import outcome_of
from hf_transfer_plugin.decide.sequential import anytime_half_width
from hf_transfer_plugin.decide.statistics import student_half_width

__all__ = ["MOST_EXAMPLES", "MOST_SEEDS", "examples_to_settle", "seeds_to_settle"]

MOST_SEEDS = 10_000
MOST_EXAMPLES = 10_000_000


def seeds_to_settle(
    differences: Sequence[float], margin: float, confidence: float, *, anytime: bool = False
) -> int | None:
    """Estimate how many paired seeds would end an inconclusive comparison.

    Assumes that mean and standard deviation stay as they are, so it is a plan, not a promise;
    and it knows only the interval over seeds: the one over test examples shrinks with more test
    examples alone.

    Args:
        differences: [seeds], transfer - control; at least two.
        margin: in units of the metric.
        confidence: in (0, 1).
        anytime: the interval is that of `anytime_interval`, else Student's.

    Returns:
        Smallest total number of seeds, no fewer than there are, at which the interval excludes
        zero or fits inside the margin; None when 10,000 are not enough.
    """
    check_level(confidence)
    check_margin(margin)
    values = finite_scores(differences, "differences")
    mean, deviation = abs(float(values.mean())), float(values.std(ddof=1))

    def settled(seeds: int) -> bool:
        if anytime:
            half = anytime_half_width(seeds, deviation, confidence)
        else:
            half = student_half_width(deviation / math.sqrt(seeds), seeds - 1.0, confidence)
        return outcome_of(mean - half, mean + half, margin) != "inconclusive"

    return _first(settled, len(values), MOST_SEEDS)


def examples_to_settle(
    interval: tuple[float, float], difference: float, margin: float, examples: int
) -> int | None:
    """Estimate how many test examples would end an inconclusive comparison.

    Assumes that the difference stays as it is and that both ends come nearer to it with the
    square root of the number of examples; and it knows only the interval over test examples.

    Args:
        interval: over test examples.
        difference: mean of transfer - control.
        margin: in units of the metric.
        examples: number of test examples behind the interval.

    Returns:
        Smallest total number of test examples, no fewer than there are, at which the interval
        excludes zero or fits inside the margin; None when ten million are not enough.
    """
    check_margin(margin)

    def settled(count: int) -> bool:
        nearer = math.sqrt(examples / count)
        lower, upper = (difference + nearer * (end - difference) for end in interval)
        return outcome_of(lower, upper, margin) != "inconclusive"

    return _first(settled, examples, MOST_EXAMPLES)


def _first(settled: Callable[[int], bool], fewest: int, most: int) -> int | None:
    """Return the smallest number that settles; a larger one does too, for intervals shrink."""
    enough = max(most, fewest)
    if not settled(enough):
        return None
    while fewest < enough:
        middle = (fewest + enough) // 2
        if settled(middle):
            enough = middle
        else:
            fewest = middle + 1
    return enough
