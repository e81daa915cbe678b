"""The layer groups of one model as switches: train these, freeze the others, put all back."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from hf_transfer_plugin.adapt.schedule_state import BASE
from hf_transfer_plugin.callbacks.pinning import Pins
from hf_transfer_plugin.layers import layer_groups

__all__ = ["GroupSwitch"]


class GroupSwitch:
    """Freezes and thaws layer groups of a model.

    Only parameters that are trainable when the switch is made are ever touched, so base weights
    under PEFT adapters, and whatever the user froze, stay frozen.

    Args:
        model: any module that `layer_groups` takes.
        pins: hold the modules of frozen groups still.
        base: names of the parameters under adapters that the schedule may train; they are
            switched as "base:GROUP", apart from the rest of their group.
    """

    def __init__(self, model: nn.Module, pins: Pins, base: Iterable[str] = ()) -> None:
        self.model = model
        self.groups = layer_groups(model)
        base = frozenset(base)
        by_name = dict(model.named_parameters())
        self._sizes = {group.name: len(group.parameter_names) for group in self.groups}
        # A tied weight is one object in one group, whatever its names.
        self._named: dict[str, dict[str, nn.Parameter]] = {}
        for group in self.groups:
            names = [name for name in group.parameter_names if by_name[name].requires_grad]
            self._named[group.name] = {name: by_name[name] for name in names if name not in base}
            self._named[BASE + group.name] = {name: by_name[name] for name in names if name in base}
        self._pins = pins
        self._trained: set[int] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """The groups that have something to train, input to head."""
        return tuple(name for name, parameters in self._named.items() if parameters)

    def size(self, name: str) -> int:
        """Return how many parameters a group has, frozen ones included."""
        return self._sizes[name.removeprefix(BASE)]

    def named(self, name: str) -> dict[str, nn.Parameter]:
        """Return the parameters of a group that can train, by name."""
        return self._named[name]

    def parameters(self, name: str) -> list[nn.Parameter]:
        """Return the parameters of a group that can train."""
        return list(self._named[name].values())

    def is_trained(self, parameter: nn.Parameter) -> bool:
        """Tell whether the last `apply` let this parameter train."""
        return id(parameter) in self._trained

    def tied(self) -> dict[str, list[str]]:
        """Return layer group -> further names, elsewhere in the model, of weights it owns."""
        found: dict[str, list[str]] = {}
        for owner, names in self.groups.tied:
            found.setdefault(self.groups.of_parameter(owner).name, []).extend(names)
        return found

    def apply(self, names: Iterable[str], only: frozenset[str] | None = None) -> int:
        """Train these groups and freeze all others.

        Args:
            names: layer groups.
            only: names of the parameters that train within them; None: all.

        Returns:
            the number of weights that now train.
        """
        wanted = frozenset(names)
        self._trained = set()
        count, moving = 0, set()
        for group, parameters in self._named.items():
            for name, parameter in parameters.items():
                trains = group in wanted and (only is None or name in only)
                parameter.requires_grad_(trains)
                if trains:
                    count += parameter.numel()
                    self._trained.add(id(parameter))
                    moving.add(group.removeprefix(BASE))
                else:
                    # An optimizer skips a parameter without gradient, weight decay and momentum
                    # included; one left over from the last phase would move it.
                    parameter.grad = None
        # A group without anything to train is left to the user, unless no phase selects it now.
        idle = wanted - {name.removeprefix(BASE) for name in self.names}
        resting = set(self.groups.names) - moving - idle
        frozen = [group for group in self.groups if group.name in resting]
        self._pins.pin(
            self.model.get_submodule(name) for group in frozen for name in group.module_names
        )
        return count

    def restore(self) -> None:
        """Make the model as it was when the switch was made."""
        for parameters in self._named.values():
            for parameter in parameters.values():
                parameter.requires_grad_(True)
        self._pins.release(self.model.training)
