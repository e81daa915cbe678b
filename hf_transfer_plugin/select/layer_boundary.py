"""Where to cut a network: the layer that reads out best, and what is lower beyond the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hf_transfer_plugin.layers import ROLES
from hf_transfer_plugin.select.resampling import leads

__all__ = ["Boundary", "find_boundary", "pointwise_intervals", "suggested_cut"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Boundary:
    """What the scores of the layers of a network say, beyond their noise.

    Attributes:
        best: index of the layer with the highest score; of equals the last one.
        below_best: whether a layer is lower than the best one by more than the noise, [layers].
        source_specific_from: index of the first layer after the best from which every layer is
            below the best, to the last one; None when there is none.
        rival: index of the best layer of the network with random weights.
        beats_rival: the best layer is higher than that by more than the noise.
    """

    best: int
    below_best: npt.NDArray[np.bool_]
    source_specific_from: int | None
    rival: int
    beats_rival: bool


def find_boundary(
    scores: npt.ArrayLike,
    draws: npt.ArrayLike,
    rivals: npt.ArrayLike,
    rival_draws: npt.ArrayLike,
    *,
    confidence: float,
) -> Boundary:
    """Find the best layer, and where the score drops for good.

    A draw is a score of half of the examples, the same half for every layer (`half_samples`), so
    layers are compared on the same examples. All pairs of layers are compared at once at the
    given confidence (`leads`), for one of many layers is soon the best by chance.

    Args:
        scores: [layers], input to head.
        draws: [layers, draws].
        rivals: scores of the layers of the network with random weights, [layers of it].
        rival_draws: [layers of it, draws].
        confidence: in (0, 1).

    Raises:
        DataError: for scores that are not finite, or shapes that do not fit.

    References:
        Yosinski et al., "How transferable are features in deep neural networks?" (2014): features
        turn from general to specific somewhere in a network. Kornblith et al., "Why do better
        loss functions lead to less transferable features?" (2021): what fits the source's classes
        better is lost for others in the last layers.
    """
    points = np.asarray(scores, dtype=np.float64)
    others = np.asarray(rivals, dtype=np.float64)
    places, count = range(len(points)), len(points)
    best, rival = _last_largest(points), _last_largest(others)
    below = leads(draws, points, places, places, confidence)[best] == 1
    both = np.concatenate([np.asarray(draws), np.asarray(rival_draws)])
    full = np.concatenate([points, others])
    ahead = leads(both, full, places, range(count, len(full)), confidence)
    return Boundary(best, below, _drop_from(below, best), rival, bool(ahead[best, rival] == 1))


def pointwise_intervals(
    scores: npt.ArrayLike, draws: npt.ArrayLike, confidence: float
) -> tuple[Floats, Floats]:
    """Return the interval of each score by itself, [layers] and [layers].

    Args:
        scores: [layers].
        draws: [layers, draws], on half samples: they spread as the scores do.
        confidence: in (0, 1).
    """
    from scipy.stats import norm

    spread = np.asarray(draws, dtype=np.float64).std(axis=1, ddof=1)
    half_width = float(norm.ppf((1.0 + confidence) / 2.0)) * spread
    points = np.asarray(scores, dtype=np.float64)
    return points - half_width, points + half_width


def suggested_cut(groups: Sequence[str], best: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what to freeze, the best layer and all before it, and selectors of what trains.

    Args:
        groups: names of the layer groups of the network without a head, input to head.
        best: one of them.

    Returns:
        Names of groups to freeze, and selectors: "top:N" for the N layers after the best one with
        all that follows them, "top:0" when it is the last layer, "head" when it lies behind the
        last layer.
    """
    place = list(groups).index(best)
    blocks = [index for index, name in enumerate(groups) if _is_block(name)]
    after = sum(index > place for index in blocks)
    behind = bool(blocks) and place > blocks[-1]
    return tuple(groups[: place + 1]), ("head",) if behind else (f"top:{after}",)


def _is_block(name: str) -> bool:
    return name.rpartition(".")[2] not in ROLES


def _last_largest(values: Floats) -> int:
    return len(values) - 1 - int(np.argmax(values[::-1]))


def _drop_from(below: npt.NDArray[np.bool_], best: int) -> int | None:
    first = len(below)
    while first > best + 1 and below[first - 1]:
        first -= 1
    return first if first < len(below) else None
