"""The calls of a model's layers in the order in which one forward pass makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from hf_transfer_plugin.layers import LayerGroups, layer_groups

__all__ = ["Call", "LayerUnits", "React", "is_tensor", "leaves", "record"]

#: Number of the call, path of the unit, its own forward, args, kwargs -> what the call returns.
React = Callable[[int, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


class LayerUnits:
    """The modules that run or are skipped as a whole: the outermost ones of each layer group.

    Args:
        model: any model that `layer_groups` takes.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.groups: LayerGroups = layer_groups(model)
        self.group_of = {
            path: group.name
            for group in self.groups
            for outermost in group.module_names
            for path in _called(model.get_submodule(outermost), outermost)
        }
        self.modules: Mapping[str, nn.Module] = {
            path: model.get_submodule(path) for path in self.group_of
        }

    def of_groups(self, names: Iterable[str]) -> frozenset[str]:
        """Return the paths of the units of layer groups."""
        wanted = frozenset(names)
        return frozenset(path for path, group in self.group_of.items() if group in wanted)

    def has_weights(self, path: str) -> bool:
        """Tell whether a unit owns parameters."""
        return next(self.modules[path].parameters(), None) is not None

    def outside(self) -> dict[str, torch.Tensor]:
        """Return the parameters and buffers that belong to no unit, by name."""
        inside = tuple(f"{path}." for path in self.modules)
        named = [*self.model.named_parameters(), *self.model.named_buffers()]
        return {name: tensor for name, tensor in named if not name.startswith(inside)}

    @contextmanager
    def reacting(self, react: React) -> Iterator[None]:
        """Let `react` stand in for the forward of every unit."""
        counter = iter(range(1_000_000))

        def call(path: str, own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return react(next(counter), path, own, args, kwargs)

        held: list[tuple[dict[str, Any], Any]] = []
        try:
            for path, module in self.modules.items():
                attributes = module.__dict__
                held.append((attributes, attributes.get("forward")))
                attributes["forward"] = partial(call, path, module.forward)
            yield
        finally:
            for attributes, before in held:
                if before is None:
                    del attributes["forward"]
                else:
                    attributes["forward"] = before


@dataclass(frozen=True)
class Call:
    """One call of a unit, as it was recorded.

    Attributes:
        path: of the unit.
        given: leaves of its arguments: tensors as they were (a later layer may write into them).
        returned: leaves of what it returned, likewise.
        given_from: the very objects.
        returned_as: likewise.
        structure: of what it returned.
    """

    path: str
    given: tuple[Any, ...]
    returned: tuple[Any, ...]
    given_from: tuple[Any, ...]
    returned_as: tuple[Any, ...]
    structure: pytree.TreeSpec


def is_tensor(leaf: Any) -> bool:
    """Tell whether a leaf is a tensor."""
    return isinstance(leaf, torch.Tensor)


def leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], pytree.TreeSpec]:
    """Return the leaves of the arguments of a call, and what puts them together again."""
    return pytree.tree_flatten((args, kwargs))


def record(units: LayerUnits, run: Callable[[], Any]) -> tuple[list[Call], Any]:
    """Run a forward pass; return the calls of its units and what it returned."""
    calls: list[Call] = []

    def react(
        _: int, path: str, own: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given, _spec = leaves(args, kwargs)
        copies = _copies(given)
        result = own(*args, **kwargs)
        returned, structure = pytree.tree_flatten(result)
        calls.append(
            Call(path, copies, _copies(returned), tuple(given), tuple(returned), structure)
        )
        return result

    with units.reacting(react):
        outputs = run()
    return calls, outputs


def _called(module: nn.Module, path: str) -> Iterator[str]:
    """Yield the path of a module, or of those in it when it is only a list of them."""
    if type(module).forward is not nn.Module.forward:
        yield path
        return
    for name, part in module.named_children():
        yield from _called(part, f"{path}.{name}")


def _copies(found: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(leaf.detach().clone() if is_tensor(leaf) else leaf for leaf in found)
