"""The layer groups of one model as switches: train these, freeze the others, put all back."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from hf_transfer_plugin.callbacks.pinning import EvalPins
from hf_transfer_plugin.layers import layer_groups

__all__ = ["GroupSwitch"]


class GroupSwitch:
    """Freezes and thaws layer groups of a model.

    Only parameters that are trainable when the switch is made are ever touched, so base weights
    under PEFT adapters, and whatever the user froze, stay frozen.

    Args:
        model: any module that `layer_groups` takes.
        pin: hold the modules of frozen groups in eval mode.
    """

    def __init__(self, model: nn.Module, pin: bool) -> None:
        self.model = model
        self.groups = layer_groups(model)
        by_name = dict(model.named_parameters())
        self._sizes = {group.name: len(group.parameter_names) for group in self.groups}
        # A tied weight is one object in one group, whatever its names.
        self._parameters = {
            group.name: [
                by_name[name] for name in group.parameter_names if by_name[name].requires_grad
            ]
            for group in self.groups
        }
        self._pin, self._pins = pin, EvalPins()

    def size(self, name: str) -> int:
        """Return how many parameters a group has, frozen ones included."""
        return self._sizes[name]

    def parameters(self, name: str) -> list[nn.Parameter]:
        """Return the parameters of a group that can train."""
        return self._parameters[name]

    def tied(self) -> dict[str, list[str]]:
        """Return layer group -> further names, elsewhere in the model, of weights it owns."""
        found: dict[str, list[str]] = {}
        for owner, names in self.groups.tied:
            found.setdefault(self.groups.of_parameter(owner).name, []).extend(names)
        return found

    def apply(self, names: Iterable[str]) -> int:
        """Train these groups and freeze all others.

        Returns:
            the number of weights that now train.
        """
        names = set(names)
        for name, parameters in self._parameters.items():
            for parameter in parameters:
                parameter.requires_grad_(name in names)
                if name not in names:
                    # An optimizer skips a parameter without gradient, weight decay and momentum
                    # included; one left over from the last phase would move it.
                    parameter.grad = None
        if self._pin:
            frozen = (group for group in self.groups if group.name not in names)
            self._pins.pin(
                self.model.get_submodule(name) for group in frozen for name in group.module_names
            )
        return sum(p.numel() for name in names for p in self._parameters[name])

    def restore(self) -> None:
        """Make the model as it was when the switch was made."""
        for parameters in self._parameters.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        self._pins.release(self.model.training)
