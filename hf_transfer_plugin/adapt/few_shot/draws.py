"""Which examples a learner with few labels gets: stratified, seeded, the same for every method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hf_transfer_plugin.errors import DataError

__all__ = ["draw_rows"]


def draw_rows(labels: Sequence[int], shots: int, draw: int, classes: Sequence[str]) -> list[int]:
    """Return the row numbers of one draw, in order.

    Draws are nested: the rows of one shot are among those of two with the same number.

    Args:
        labels: class of each row.
        shots: examples of each class.
        draw: number of the draw; its seed.
        classes: names, in label order.

    Raises:
        DataError: when a class has fewer rows.
    """
    rows = np.asarray(labels)
    generator = np.random.default_rng(draw)
    drawn: list[int] = []
    for index, name in enumerate(classes):
        members = generator.permutation(np.flatnonzero(rows == index))
        if len(members) < shots:
            raise DataError(
                arrived=f"{len(members)} training examples of the class {name!r} for {shots} shots",
                expected=f"at least {shots} of each class",
                action="label more, or leave that number out of shots",
            )
        drawn.extend(members[:shots].tolist())
    return sorted(drawn)
