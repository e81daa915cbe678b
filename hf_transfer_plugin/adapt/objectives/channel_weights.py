"""How much each channel of the source matters to the target, for DELTA."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn

from hf_transfer_plugin.adapt.objectives.loss_term import Read
from hf_transfer_plugin.errors import ConfigError

__all__ = ["attention", "channel_weights", "fitted_head"]

_BATCHES, _STEPS, _DECAY, _TEMPERATURE = 8, 50, 1e-3, 5.0


def channel_weights(
    source: Callable[[Mapping[str, Any]], Read], batches: Iterable[Mapping[str, Any]]
) -> tuple[torch.Tensor, ...]:
    """Return the weights of the channels of each block, [channels] each.

    A softmax head is fitted on the features of the source for the first 8 batches of training
    rows; a channel's weight follows from the rise of its loss when the channel is zero. The paper
    zeroes one channel after another, which is a pass for each; here the rise is that of a
    first-order expansion (Molchanov et al., "Pruning Convolutional Neural Networks for Resource
    Efficient Inference", 2017): minus the sum over examples and positions of activation times
    derivative, all channels in one pass.

    Args:
        source: reads the frozen copy, with gradients where they are enabled.
        batches: training rows with "labels".

    Raises:
        ConfigError: for rows without one class each.
    """
    chosen = list(islice(batches, _BATCHES))
    labels = [batch.get("labels") for batch in chosen]
    if not all(torch.is_tensor(each) and each.ndim == 1 for each in labels):
        raise ConfigError(
            arrived="objective delta on rows without one class each",
            expected="`labels` of [examples], by which channels are weighed",
            action="choose an objective on weights, such as l2sp",
        )
    with torch.no_grad():
        features = torch.cat([_features(source(batch)) for batch in chosen])
    head = fitted_head(features, torch.cat(labels))  # type: ignore[arg-type]
    rises: list[torch.Tensor] = []
    for batch, own in zip(chosen, labels, strict=True):
        with torch.enable_grad():
            read = source(batch)
            loss = nn.functional.cross_entropy(head(_features(read)), own, reduction="sum")  # type: ignore[arg-type]
            slopes = torch.autograd.grad(loss, read.raw)
        found = [
            -(value * slope).movedim(axis, -1).flatten(0, -2).sum(0).detach().float()
            for value, slope, axis in zip(read.raw, slopes, read.channel_axes, strict=True)
        ]
        rises = [a + b for a, b in zip(rises, found, strict=True)] if rises else found
    return attention([rise / len(features) for rise in rises])


def attention(rises: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Return softmax(zscore(rise) / 5) of each block's rises of the loss, [channels]."""
    return tuple(
        torch.softmax((rise - rise.mean()) / (rise.std() + 1e-12) / _TEMPERATURE, 0)
        for rise in rises
    )


def fitted_head(
    features: torch.Tensor, labels: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Fit a softmax head on standardised features; no random number is drawn.

    Args:
        features: [examples, width].
        labels: [examples].

    Returns:
        a function of features that returns logits, [examples, classes].
    """
    mean, scale = features.mean(0), features.std(0, correction=0) + 1e-6
    classes = int(labels.max()) + 1
    weight = features.new_zeros(features.shape[1], classes, requires_grad=True)
    bias = features.new_zeros(classes, requires_grad=True)
    scaled = (features - mean) / scale
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = nn.functional.cross_entropy(scaled @ weight + bias, labels)
        found = found + _DECAY * weight.square().sum()
        found.backward()
        return found

    with torch.enable_grad():
        optimizer.step(loss)
    weight.requires_grad_(False)
    bias.requires_grad_(False)
    return lambda given: ((given - mean) / scale) @ weight + bias


def _features(read: Read) -> torch.Tensor:
    assert read.features is not None
    return read.features
