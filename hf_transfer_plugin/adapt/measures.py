"""Measurements that choose layers or rates, as pure functions of weights and norms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from hf_transfer_plugin.adapt.matrix_kinds import count_taken, kind_of

__all__ = ["best_matrices", "relative_gradients", "settled_layers", "signal_to_noise"]

# Quartiles of a normal distribution lie this many standard deviations apart.
_QUARTILES = 1.349


def relative_gradients(
    gradients: Mapping[str, float], weights: Mapping[str, float]
) -> dict[str, float]:
    """Return layer group -> rate by relative gradient norm (Auto-RGN, Lee et al. 2023).

    Args:
        gradients: layer group -> norm of its gradient.
        weights: layer group -> norm of its weights.

    Returns:
        Ratios divided by the largest, 0..1; all 1 when no gradient is above 0.
    """
    ratios = {n: g / max(weights[n], 1e-12) for n, g in gradients.items()}
    largest = max(ratios.values(), default=0.0)
    if not 0 < largest < math.inf:
        return dict.fromkeys(gradients, 1.0)
    return {name: ratio / largest for name, ratio in ratios.items()}


def settled_layers(
    previous: Mapping[str, float],
    current: Mapping[str, float],
    order: Sequence[str],
    percentile: float,
) -> tuple[str, ...]:
    """Return the layer groups that freeze now (AutoFreeze, Liu et al. 2021).

    Args:
        previous: layer group -> mean gradient norm over the interval before the last one.
        current: the same over the last interval.
        order: the layer groups that still train, input first.
        percentile: of the relative changes of all of them, in (0, 100).

    Returns:
        Groups from the input up, without a gap, whose norm changed by no more than the
        percentile; never the last group of `order`.
    """
    changes = [abs(previous[n] - current[n]) / max(previous[n], 1e-12) for n in order]
    if len(order) < 2 or not np.isfinite(changes).all():
        return ()
    bound = np.percentile(changes, percentile)
    count = 0
    while count < len(order) - 1 and changes[count] <= bound:
        count += 1
    return tuple(order[:count])


def signal_to_noise(weight: torch.Tensor) -> float:
    """Return the signal-to-noise ratio of a matrix (Spectrum, Hartford et al. 2024).

    Singular values above the Marchenko-Pastur bound of their own spread are signal, the others
    noise; the ratio of the two sums is divided by the largest singular value.

    Args:
        weight: [outputs, inputs, ...]; further dimensions count as inputs.

    Returns:
        0 for a matrix without signal, infinity for one without noise.
    """
    matrix = weight.detach().flatten(1).to(torch.float64)
    values = torch.linalg.svdvals(matrix)
    largest = float(values[0])
    if largest == 0:
        return 0.0
    spread = float(torch.quantile(values, 0.75) - torch.quantile(values, 0.25)) / _QUARTILES
    shape = min(matrix.shape) / max(matrix.shape)
    bound = spread * (1 + math.sqrt(shape))
    signal, noise = float(values[values > bound].sum()), float(values[values <= bound].sum())
    return signal / noise / largest if noise else math.inf


def best_matrices(weights: Mapping[str, torch.Tensor], share: float) -> tuple[str, ...]:
    """Return the names of the matrices with the best ratio among those of their kind.

    Args:
        weights: name -> tensor; names that differ in numbers only are of one kind.
        share: of each kind that is returned, in (0, 1]; at least one matrix.
    """
    kinds: dict[str, list[str]] = {}
    for name in weights:
        kinds.setdefault(kind_of(name), []).append(name)
    best: list[str] = []
    for names in kinds.values():
        ranked = sorted(names, key=lambda name: signal_to_noise(weights[name]), reverse=True)
        best += ranked[: count_taken(share, len(names))]
    return tuple(name for name in weights if name in best)
