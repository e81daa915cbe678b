"""What a distance between source and target means, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_transfer_plugin.select.distances import MeanDiscrepancy, TransferBound

if TYPE_CHECKING:
    from hf_transfer_plugin.select.source_distance import LayerDistance

__all__ = ["apart", "bounded", "carried"]

NOTICED = 0.02


def apart(distance: float, discrepancy: MeanDiscrepancy, rows: int) -> str:
    """Say whether the two can be told apart.

    Args:
        distance: proxy A-distance.
        discrepancy: squared MMD and its p-value.
        rows: of each.
    """
    told = 50.0 + 25.0 * distance
    # Two standard errors of the accuracy of guessing, as a distance.
    noise = 4.0 / np.sqrt(2.0 * rows)
    if distance <= noise and discrepancy.p_value > 0.05:
        return (
            f"nothing tells source and target apart (A-distance {distance:.2f}, "
            f"MMD p = {discrepancy.p_value:.2g})"
        )
    if distance <= noise:
        return (
            f"a linear classifier does not tell source and target apart (A-distance "
            f"{distance:.2f}), but MMD does (p = {discrepancy.p_value:.2g}): they differ in more "
            "than their means"
        )
    return (
        f"a linear classifier tells source from target in {told:.0f} % of held-out rows "
        f"(50 % is guessing): A-distance {distance:.2f} of 2, MMD p = {discrepancy.p_value:.2g}"
    )


def bounded(bound: TransferBound | None, classes: int) -> str:
    """Say what the error on the target may come to.

    Args:
        bound: None when the classes differ.
        classes: their number.
    """
    if bound is None:
        return "source and target have other classes: no bound on the target's error"
    parts = (
        f"{bound.source_error:.2f} (error on the source) + {bound.half_distance:.2f} (half the "
        f"A-distance) = {bound.total:.2f}"
    )
    if bound.total >= 1.0 - 1.0 / classes:
        return f"estimated bound on the target's error: {parts}, no better than guessing"
    return f"estimated bound on the target's error: {parts}"


def carried(layers: Sequence[LayerDistance]) -> tuple[str, ...]:
    """Say in which layer the source's own directions carry the target least, if in any.

    Args:
        layers: input to head.
    """
    if not layers:
        return ()
    worst = max(layers, key=lambda each: each.own_source - each.own_target)
    if worst.own_source - worst.own_target < NOTICED:
        return ("in every layer the source's own directions carry the target as far as the source",)
    return (
        f"the source's own directions carry the target least in {worst.name}: CKA "
        f"{worst.own_target:.2f}, against {worst.own_source:.2f} on held-out source rows",
    )
