"""What a layer profile says, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from hf_transfer_plugin.layer_profile_record import LayerScore
from hf_transfer_plugin.select.layer_boundary import Boundary

__all__ = ["profile_findings"]


def profile_findings(
    layers: Sequence[LayerScore], boundary: Boundary, score: str
) -> tuple[str, ...]:
    """Return the findings: random weights, best layer, its equals, where the source begins.

    Args:
        layers: input to head.
        boundary: what their scores say beyond the noise.
        score: name of the score.
    """
    best = layers[boundary.best]
    return (
        _against_random(layers, best, boundary),
        _best(layers, best, score),
        *_equals(layers, best),
        _drop(layers, best, boundary.source_specific_from),
    )


def _against_random(layers: Sequence[LayerScore], best: LayerScore, boundary: Boundary) -> str:
    rival = layers[boundary.rival]
    twin = "the same network with random weights"
    if boundary.beats_rival:
        gain = best.score - rival.random
        return f"{best.layer} beats {twin} by {gain:.3f} (its best layer: {rival.layer})"
    return (
        f"no layer beats {twin} by more than the noise (its best layer: {rival.layer}, "
        f"{rival.random:.3f}): this source has nothing for this data"
    )


def _best(layers: Sequence[LayerScore], best: LayerScore, score: str) -> str:
    text = (
        f"{best.layer} reads out the task best: {score} {best.score:.3f} "
        f"[{best.lower:.3f}, {best.upper:.3f}]"
    )
    last = layers[-1]
    return text if last is best else f"{text}; the last, {last.layer}, {last.score:.3f}"


def _equals(layers: Sequence[LayerScore], best: LayerScore) -> list[str]:
    equal = [each.layer for each in layers if not each.below_best and each is not best]
    if not equal:
        return [f"every other layer is below {best.layer} by more than the noise"]
    return [f"cannot be told from {best.layer}: {', '.join(equal)}"]


def _drop(layers: Sequence[LayerScore], best: LayerScore, first: int | None) -> str:
    if best is layers[-1]:
        return f"{best.layer} is the last layer: none after it belongs to the source alone"
    if first is None:
        return f"after {best.layer} the score does not drop for good by more than the noise"
    lost = best.score - layers[first].score
    return (
        f"from {layers[first].layer} on the score is lower by more than the noise "
        f"(by {lost:.3f} there): these layers belong to the source's own task"
    )
