"""Several comparisons at once: levels at which the chance of any false decision stays small."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["step_down_levels"]


def step_down_levels(
    excludes_zero: Callable[[int, float], bool], count: int, confidence: float
) -> tuple[float, ...]:
    """Return the confidence of each comparison's own interval, by Holm's steps.

    All start at 1 - (1 - confidence) / count, as in Bonferroni's correction. Those whose interval
    excludes zero are decided and leave; the others share what there is anew, until none leaves.
    The chance that any of them is decided while nothing differs is 1 - confidence at most,
    however they depend on each other. The intervals of those that were decided do not all hold
    their true values at once with that confidence; Bonferroni's wider ones would.

    Args:
        excludes_zero: (index, confidence) -> whether its interval at that confidence excludes
            zero; one that is wider includes whatever a narrower one does.
        count: number of comparisons.
        confidence: of the family, in (0, 1).

    Returns:
        One confidence for each comparison, at least that of the family.

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).
    """
    levels, left = [confidence] * count, list(range(count))
    while left:
        level = 1.0 - (1.0 - confidence) / len(left)
        decided = [index for index in left if excludes_zero(index, level)]
        for index in decided or left:
            levels[index] = level
        left = [index for index in left if index not in decided] if decided else []
    return tuple(levels)
