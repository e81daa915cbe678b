"""DELTA: what the blocks of the network hand on is held near what those of the source do."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hf_transfer_plugin.adapt.objectives.channel_weights import channel_weights
from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass, Start
from hf_transfer_plugin.errors import ConfigError

__all__ = ["Delta", "behaviour_distance"]


class Delta(LossTerm):
    """Adds alpha/2 times the distance of every block's output from that of the source.

    Of one block, mean over examples: C/P sum over channels c of a_c |F_c - F0_c|^2, with C
    channels and P positions (pixels of a feature map; tokens that are no padding). In networks of
    convolutions a says how much a fit of the target loses when the source has no channel c (see
    `channel_weights`); in transformers, the form for hidden states, a_c = 1/C, so that a block's
    distance is the mean over tokens of |h - h0|^2. The head's decay of the paper is left to
    weight_decay, or `l2sp` with alpha 0.

    Args:
        alpha: weight of the term. The reference implementation sums over the examples of a batch
            where this takes their mean: its 0.01 at a batch of 48 is 0.48 here.
        layer_decay: weight of a block over that of the block after it; 1: all count alike.

    References:
        Li et al., "DELTA: DEep Learning Transfer using Feature Map with Attention for
        Convolutional Networks" (2019).
    """

    name = "delta"

    def __init__(self, alpha: float = 0.01, layer_decay: float = 1.0) -> None:
        super().__init__(alpha=alpha, layer_decay=layer_decay)
        self.alpha, self.layer_decay = alpha, layer_decay
        self.weights: tuple[torch.Tensor, ...] | None = None

    def attach(self, start: Start) -> None:
        """Weigh the channels of a network of convolutions on the training rows."""
        if start.images:
            assert start.source is not None
            self.weights = channel_weights(start.source, start.batches())

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged is the sum over blocks without alpha/2."""
        assert seen.source is not None
        ours, theirs = seen.read.layers, seen.source.layers
        if not ours or [each.shape for each in ours] != [each.shape for each in theirs]:
            raise ConfigError(
                arrived=f"objective delta on blocks of {[tuple(each.shape) for each in ours]} and "
                f"in the source of {[tuple(each.shape) for each in theirs]}",
                expected="a network whose blocks hand on tokens or feature maps, as in its source",
                action="choose an objective on weights, such as l2sp",
            )
        distances = [
            behaviour_distance(one, two, self._weights(place, one), seen.source.mask)
            for place, (one, two) in enumerate(zip(ours, theirs, strict=True))
        ]
        total = _decayed(distances, self.layer_decay)
        return self.alpha / 2 * total, {"distance": total}

    def detach(self) -> None:
        """Let go of the weights of channels."""
        self.weights = None

    def _weights(self, place: int, layer: torch.Tensor) -> torch.Tensor:
        channels = layer.shape[-1]
        return (
            layer.new_full((channels,), 1 / channels) if not self.weights else self.weights[place]
        )


def behaviour_distance(
    one: torch.Tensor, two: torch.Tensor, weights: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Return the mean over examples of C/P sum_c a_c |one_c - two_c|^2.

    Args:
        one: [examples, positions, channels].
        two: of the source, likewise.
        weights: a, of the channels, that add up to 1: [channels].
        mask: positions that count, [examples, positions]; None: all.
    """
    squared = ((one - two).square() * weights).sum(2) * one.shape[2]
    if mask is None:
        return squared.mean()
    real = mask.to(squared.dtype)
    return ((squared * real).sum(1) / real.sum(1).clamp(min=1)).mean()


def _decayed(distances: Sequence[torch.Tensor], decay: float) -> torch.Tensor:
    last = len(distances) - 1
    return torch.stack([each * decay ** (last - i) for i, each in enumerate(distances)]).sum()
