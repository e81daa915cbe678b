"""A sample of rows in which each class keeps its share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["stratified_rows"]


def stratified_rows(labels: Sequence[int], examples: int, seed: int) -> tuple[int, ...]:
    """Return the row numbers of a stratified sample, in order.

    Args:
        labels: class of each row.
        examples: size of the sample; at least one of each class is drawn, and all rows where
            stratified drawing has no room.
        seed: of the draw.
    """
    from sklearn.model_selection import train_test_split

    rows = range(len(labels))
    classes = len(set(labels))
    # Stratified drawing needs room for each class on both sides.
    smallest = min(Counter(labels).values())
    if len(rows) - examples < classes or smallest < 2:
        return tuple(rows)
    drawn, _ = train_test_split(
        rows, train_size=max(examples, classes), random_state=seed, stratify=labels
    )
    return tuple(sorted(drawn))
