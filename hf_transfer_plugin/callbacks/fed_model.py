"""A model whose forward pass begins at a boundary when its batch names cached rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import nn

from hf_transfer_plugin.callbacks.served_rows import ROWS_KEY, Boundary, ServedRows
from hf_transfer_plugin.prefix.cut import Cut, feeding
from hf_transfer_plugin.prefix.leaf_shapes import BatchSize
from hf_transfer_plugin.prefix.unit_calls import LayerUnits

__all__ = ["FedModel"]


class FedModel:
    """Listens to the forward passes of a model.

    Args:
        model: the innermost one that Trainer knows.
        device: on which it is.
        served: number of a dataset -> its rows.
        boundary: where the forward pass begins now; None: at the input.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        served: Callable[[int], ServedRows],
        boundary: Callable[[], Boundary | None],
    ) -> None:
        self.model, self.units = model, LayerUnits(model)
        self._device, self._served, self._boundary = device, served, boundary
        self._parameters = dict(model.named_parameters())
        self._open = ExitStack()

        # Functions, for a copy of the model copies bound methods with all that they belong to.
        def before(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
            return self._before(module, args, kwargs)

        def after(module: nn.Module, args: Any, result: Any) -> None:
            self._open.close()

        self._hooks = [
            model.register_forward_pre_hook(before, prepend=True, with_kwargs=True),
            model.register_forward_hook(after, always_call=True),
        ]

    def remove(self) -> None:
        """Stop listening."""
        self._open.close()
        for hook in self._hooks:
            hook.remove()

    def run(self, batch: dict[str, Any]) -> Any:
        """Run the forward pass of a batch."""
        return self.model(**batch)

    def place(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Bring a batch to the device of the model."""
        return dict(send_to_device(batch, self._device))

    def trainable(self) -> list[bool]:
        """Tell of each parameter whether it trains."""
        return [parameter.requires_grad for parameter in self._parameters.values()]

    def trained_groups(self) -> frozenset[str]:
        """Return the layer groups of which something trains."""
        return frozenset(
            group.name
            for group in self.units.groups
            if any(self._parameters[name].requires_grad for name in group.parameter_names)
        )

    def versions(self, cut: Cut) -> list[tuple[int, int]]:
        """Return what changes, at little cost, when the weights that a cut skips are written to."""
        modules = [self.units.modules[path] for path in cut.paths]
        tensors = (t for m in modules for t in (*m.parameters(), *m.buffers()))
        return [(tensor.data_ptr(), tensor._version) for tensor in tensors]

    def _before(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        if ROWS_KEY not in kwargs:
            return None
        numbers = kwargs.pop(ROWS_KEY).cpu().numpy()
        served, rows, boundary = self._served(int(numbers[0, 0])), numbers[:, 1], self._boundary()
        store = served.stores.get(boundary.weights) if boundary is not None else None
        if boundary is None or store is None or not served.is_on or module is not self.model:
            # The batch was made before the boundary changed: give the model what was left out.
            whole = self.place(served.source.batch(rows))
            return args, {**kwargs, **{name: whole[name] for name in kwargs if name in whole}}
        assert served.rows is not None
        values = served.rows.values(boundary.cut, store, rows, self._device)
        size = BatchSize(len(rows), served.rows.batch_length(rows))
        self._open.enter_context(feeding(self.units, boundary.cut, values, size, self._device))
        return args, kwargs
