"""The output of every layer group of a network, pooled while one forward pass runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["LayerReader", "channels_come_last", "pooled", "pooled_in_place"]

_INPUTS = ("embeddings", "stem")


class LayerReader:
    """Reads what each layer group hands on; no architecture is known by name.

    What feeds the first layer is read where that layer takes it: the group before it may be made
    of several modules whose sum no module returns (words and positions). Of every other group the
    last call that returns rows is read.

    Args:
        model: any network that `layer_groups` takes.
        used: tells of each of its parameters, by name, whether it belongs to what is read;
            modules with another one are passed over.

    Attributes:
        groups: names of its layer groups, input to head.
    """

    def __init__(self, model: nn.Module, used: Callable[[str], bool] = lambda _: True) -> None:
        from hf_transfer_plugin.prefix.unit_calls import LayerUnits

        units = LayerUnits(model)
        self.groups: tuple[str, ...] = units.groups.names
        before = {
            group.name: self.groups[group.depth - 1]
            for group in units.groups
            if group.is_block and group.depth > 0 and _is_input(self.groups[group.depth - 1])
        }
        self._taken = [
            (units.modules[p], before[g]) for p, g in units.group_of.items() if g in before
        ]
        fed = set(before.values())
        self._given = [
            (module, units.group_of[path])
            for path, module in units.modules.items()
            if units.group_of[path] not in fed
            and all(used(f"{path}.{name}") for name, _ in module.named_parameters())
        ]

    @contextmanager
    def reading(
        self, rows: int, mask: torch.Tensor | None = None
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Collect the pooled outputs of the forward pass that is made inside.

        Args:
            rows: of the batch.
            mask: attention mask of texts [rows, length]; None for images.

        Yields:
            Layer group -> [rows, width] in float32 on the CPU, filled by the pass.
        """
        found: dict[str, torch.Tensor] = {}

        def keep(module: nn.Module, group: str, values: Any) -> None:
            vectors = pooled(values, rows, mask, module)
            if vectors is not None:
                found[group] = vectors

        def takes(group: str, module: nn.Module, args: Any, kwargs: Any) -> None:
            if group not in found:
                keep(module, group, (args, kwargs))

        def gives(group: str, module: nn.Module, args: Any, output: Any) -> None:
            keep(module, group, output)

        hooks = [
            *(m.register_forward_pre_hook(partial(takes, g), with_kwargs=True)
              for m, g in self._taken),
            *(m.register_forward_hook(partial(gives, g)) for m, g in self._given),
        ]  # fmt: skip
        try:
            yield found
        finally:
            for hook in hooks:
                hook.remove()


def pooled(
    values: Any, rows: int, mask: torch.Tensor | None, module: nn.Module
) -> torch.Tensor | None:
    """Return one vector an example of the first tensor of rows among some values.

    Texts [rows, length, width]: mean over the tokens of the mask. Images [rows, channels, height,
    width], or with the channels last: mean over positions. Anything else [rows, tokens, width]:
    mean over tokens. [rows, width] stays as it is, and so does [rows, width, 1].

    Args:
        values: what a module took or returned.
        rows: of the batch.
        mask: attention mask [rows, length]; None for images.
        module: tells by its weights which side of an image holds the channels.

    Returns:
        [rows, width] in float32 on the CPU, or None when there is nothing to pool.
    """
    found = pooled_in_place(values, rows, mask, module)
    return None if found is None else found.cpu()


def pooled_in_place(
    values: Any, rows: int, mask: torch.Tensor | None, module: nn.Module
) -> torch.Tensor | None:
    """Return what `pooled` returns, on the device where it is."""
    from torch.utils import _pytree as pytree

    most = 4 if mask is None else 3
    for value in pytree.tree_leaves(values):
        if _is_rows(value, rows, most):
            return _mean(value, mask, module).float()
    return None


def _is_input(group: str) -> bool:
    return group.rpartition(".")[2] in _INPUTS


def _is_rows(value: Any, rows: int, most: int) -> bool:
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.is_floating_point()
        and 2 <= value.ndim <= most
        and len(value) == rows
        and value.numel() > 0
    )


def _mean(value: torch.Tensor, mask: torch.Tensor | None, module: nn.Module) -> torch.Tensor:
    if value.ndim == 2:
        return value
    if value.ndim == 4:
        return value.mean((1, 2) if channels_come_last(value.shape, module) else (2, 3))
    if value.shape[2] == 1:
        return value[:, :, 0]
    if mask is None or mask.shape != value.shape[:2]:
        return value.mean(1)
    weights = mask[:, :, None].to(value.dtype)
    return (value * weights).sum(1) / weights.sum(1).clamp(min=1)


def channels_come_last(shape: Sequence[int], module: nn.Module) -> bool:
    """Tell by the equal sides of an image, else by the widths that the module knows.

    Args:
        shape: of four axes, examples first.
        module: that took or returned it.
    """
    _, first, second, third = shape
    if (first == second) != (second == third):
        return first == second
    known = {len(weight) for weight in module.parameters() if weight.ndim == 1}
    return third in known and first not in known
