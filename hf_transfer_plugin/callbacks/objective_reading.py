"""What a forward pass holds for an objective, read through hooks: features and blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from hf_transfer_plugin.adapt.objectives.loss_term import Read
from hf_transfer_plugin.callbacks.hook_functions import as_function
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.objective_kinds import Reads
from hf_transfer_plugin.select.layer_reading import channels_come_last, pooled_in_place

__all__ = ["PassReader", "hands_on_images", "has_prompt", "weighted_parts"]

# Prompts that stand in keys and values alone.
_IN_ATTENTION = ("PREFIX_TUNING", "CARTRIDGE")


class PassReader:
    """Listens to the forward passes of a model and keeps the last one.

    What stands at the places of a prompt, in front of the tokens of a text, is left out.

    Args:
        model: the innermost one that Trainer knows.
        reads: what is kept: "features", "layers", and what the weights of the head read
            ("source_head").
    """

    def __init__(self, model: nn.Module, reads: frozenset[Reads]) -> None:
        groups, self._prompt = layer_groups(model), _prompt_tokens(model)
        self._head: nn.Module | None = None
        self._given: Any = None
        self._at_head_weights: Any = None
        self._handed: dict[str, tuple[torch.Tensor, nn.Module]] = {}
        self._hooks: list[Any] = []
        if "features" in reads and groups.head is not None and groups.head.module_names:
            self._head = model.get_submodule(groups.head.module_names[0])
            hook = self._head.register_forward_pre_hook(
                as_function(self._at_head), with_kwargs=True
            )
            self._hooks.append(hook)
        if "source_head" in reads:
            for module in weighted_parts(model).values():
                hook = module.register_forward_pre_hook(
                    as_function(self._at_weights), with_kwargs=True
                )
                self._hooks.append(hook)
        self._blocks = [group.name for group in groups if group.is_block]
        for group in groups if "layers" in reads else ():
            if group.is_block:
                for path in group.module_names:
                    module = model.get_submodule(path)
                    hook = module.register_forward_hook(as_function(self._after_block(group.name)))
                    self._hooks.append(hook)

    def read(self, batch: Mapping[str, Any]) -> Read:
        """Return what the last pass held, and forget it.

        Args:
            batch: what the model was given.
        """
        rows = next(len(value) for value in batch.values() if torch.is_tensor(value) and value.ndim)
        mask = batch.get("attention_mask")
        mask = mask if torch.is_tensor(mask) and mask.ndim == 2 else None
        features = None
        if self._head is not None and self._given is not None:
            given = pytree.tree_map(self._without_prompt, self._given)
            features = pooled_in_place(given, rows, mask, self._head)
        handed = [self._handed[name] for name in self._blocks if name in self._handed]
        handed = [(self._without_prompt(value), module) for value, module in handed]
        handed = [(value, module) for value, module in handed if len(value) == rows]
        axes = tuple(_channel_axis(value, module) for value, module in handed)
        raw = tuple(value for value, _ in handed)
        layers = tuple(
            value.movedim(axis, -1).reshape(rows, -1, value.shape[axis]).float()
            for value, axis in zip(raw, axes, strict=True)
        )
        at_head_weights = self._at_head_weights
        self.forget()
        fits = mask is not None and all(layer.shape[1] == mask.shape[1] for layer in layers)
        return Read(features, layers, raw, axes, mask if fits else None, at_head_weights)

    def forget(self) -> None:
        """Let go of the last pass."""
        self._given, self._at_head_weights, self._handed = None, None, {}

    def remove(self) -> None:
        """Stop listening."""
        self.forget()
        for hook in self._hooks:
            hook.remove()

    def _without_prompt(self, value: Any) -> Any:
        is_text = torch.is_tensor(value) and value.ndim == 3
        return value[:, self._prompt :] if self._prompt and is_text else value

    def _at_head(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._given = (args, kwargs)

    def _at_weights(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._at_head_weights = (args, kwargs)

    def _after_block(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, args: Any, output: Any) -> None:
            for value in pytree.tree_leaves(output):
                if torch.is_tensor(value) and value.is_floating_point() and value.ndim in (3, 4):
                    self._handed[name] = (value, module)
                    return

        return keep


def weighted_parts(model: nn.Module) -> dict[str, nn.Module]:
    """Return the outermost modules of the head that hold weights, by name."""
    head = layer_groups(model).head
    parts = {name: model.get_submodule(name) for name in (head.module_names if head else ())}
    return {n: part for n, part in parts.items() if next(part.parameters(), None) is not None}


def has_prompt(model: nn.Module) -> bool:
    """Tell whether PEFT puts virtual tokens before each text (prompt or prefix tuning)."""
    config = getattr(model, "active_peft_config", None)
    return config is not None and bool(config.is_prompt_learning)


def hands_on_images(model: nn.Module) -> bool:
    """Tell whether the blocks of a model are made of convolutions."""
    blocks = [
        path for group in layer_groups(model) if group.is_block for path in group.module_names
    ]
    parts = [part for path in blocks for part in model.get_submodule(path).modules()]
    linear = any(isinstance(part, nn.Linear) for part in parts)
    return not linear and any(isinstance(part, nn.Conv2d) for part in parts)


def _prompt_tokens(model: Any) -> int:
    """Return how many virtual tokens run through the blocks; those of a prefix do not."""
    if not has_prompt(model) or model.active_peft_config.peft_type in _IN_ATTENTION:
        return 0
    return int(model.active_peft_config.num_virtual_tokens)


def _channel_axis(value: torch.Tensor, module: nn.Module) -> int:
    """Return the axis of the channels of tokens or of an image."""
    return 1 if value.ndim == 4 and not channels_come_last(value.shape, module) else value.ndim - 1
