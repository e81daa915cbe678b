"""Freezes everything but the head, in the middle of a run and whatever else thaws layers."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from hf_transfer_plugin.callbacks.pinning import Pins
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import layer_groups

__all__ = ["HeadOnly"]


class HeadOnly:
    """Lets nothing but the head train.

    Args:
        model: the model that trains.
        stepped: what the optimizer holds.

    Raises:
        ConfigError: for a model without a head of its own that trains.
    """

    def __init__(self, model: nn.Module, stepped: Iterable[torch.Tensor]) -> None:
        groups, held = layer_groups(model), {id(each) for each in stepped}
        own = groups.head.parameter_names if groups.head is not None else ()
        named = dict(model.named_parameters())
        if not any(id(named[name]) in held for name in own):
            raise ConfigError(
                arrived=f'action="refreeze", and {type(model).__name__} has no head that trains',
                expected="a layer group named head in layer_groups(model), left trainable",
                action='use "rollback", which stops instead of going on with the head',
            )
        self._model = model
        self._rest = [p for name, p in named.items() if name not in own]
        frozen = [group for group in groups if group is not groups.head]
        self._modules = [model.get_submodule(m) for group in frozen for m in group.module_names]
        self._frozen: list[nn.Parameter] = []
        self._pins = Pins("eval", False)
        self.is_on = False

    def hold(self) -> None:
        """Freeze what trains beside the head; called again, what was thawed since."""
        self.is_on = True
        thawed = [parameter for parameter in self._rest if parameter.requires_grad]
        for parameter in thawed:
            parameter.requires_grad_(False)
        known = {id(parameter) for parameter in self._frozen}
        self._frozen += [parameter for parameter in thawed if id(parameter) not in known]
        self._pins.pin(self._modules)

    def drop_gradients(self) -> None:
        """Let the optimizer skip what is frozen: it does so without a gradient."""
        for parameter in self._rest:
            parameter.grad = None

    def release(self) -> None:
        """Make trainable again what was."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        if self.is_on:
            self._pins.release(self._model.training)
        self._frozen, self.is_on = [], False
