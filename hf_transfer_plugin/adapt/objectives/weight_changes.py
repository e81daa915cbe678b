"""How far the weights of a network are from those of its source, with adapters or without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["adapter_parameters", "matrices_of_adapters", "weight_changes"]


def matrices_of_adapters(model: nn.Module) -> list[tuple[Any, str]]:
    """Return (layer, adapter) for all whose product is added to a weight: the LoRA family, LoHa.

    Other adapters (IA3, norms, prompts) begin at a value and are held to it like any weight.
    """
    from peft.tuners.lora import LoraLayer
    from peft.tuners.lycoris_utils import LycorisLayer

    return [
        (layer, name)
        for layer in model.modules()
        if isinstance(layer, LoraLayer | LycorisLayer)
        for name in layer.active_adapters
        if any(name in getattr(layer, part) for part in layer.adapter_layer_names)
    ]


def adapter_parameters(model: nn.Module) -> set[int]:
    """Return the `id` of each parameter of these matrices."""
    return {id(each) for layer, name in matrices_of_adapters(model) for each in _parts(layer, name)}


def weight_changes(
    held: Iterable[tuple[nn.Parameter, torch.Tensor]], adapted: Iterable[tuple[Any, str]]
) -> Iterator[torch.Tensor]:
    """Yield w - w0 of each weight that trains.

    Args:
        held: (parameter, its value in the source).
        adapted: as from `matrices_of_adapters`.
    """
    for weight, first in held:
        if weight.requires_grad:
            yield weight - first
    for layer, name in adapted:
        if any(part.requires_grad for part in _parts(layer, name)):
            yield layer.get_delta_weight(name)


def _parts(layer: Any, name: str) -> Iterator[nn.Parameter]:
    for kind in layer.adapter_layer_names:
        held = getattr(layer, kind)
        if name in held:
            part = held[name]
            yield from part.parameters() if isinstance(part, nn.Module) else [part]
