"""Tensors that a checkpoint must hold beside model and optimizer, inside optimizer.pt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

__all__ = ["CarriedTensors", "Tensors", "tensors_in"]

Tensors = dict[str, torch.Tensor]
_KEY = "hf_transfer_plugin"


class CarriedTensors:
    """Adds named tensors to what an optimizer saves, and takes out what it has loaded.

    Callbacks have no event while a checkpoint is written, and a file that is added afterwards
    would be missing when the process dies in between. Optimizers keep foreign keys of their
    parameter groups.

    Args:
        optimizer: the optimizer of torch.
        collect: called at each save; returns kind -> name -> tensor.
        key: of the parameter group; another one for each who carries tensors.
    """

    def __init__(
        self, optimizer: Optimizer, collect: Callable[[], dict[str, Tensors]], key: str = _KEY
    ) -> None:
        self.loaded: dict[str, Tensors] = optimizer.param_groups[0].pop(key, {})
        self._collect, self._key = collect, key
        self._handle = optimizer.register_state_dict_post_hook(self._add)

    def _add(self, _: Any, state: dict[str, Any]) -> None:
        tensors = {kind: named for kind, named in self._collect().items() if named}
        if tensors:
            state["param_groups"][0][self._key] = tensors

    def remove(self) -> None:
        """Leave the optimizer as it was."""
        self._handle.remove()


def tensors_in(checkpoint: str) -> dict[str, Tensors]:
    """Return the tensors that the optimizer file of a checkpoint carries."""
    file = Path(checkpoint) / "optimizer.pt"
    if not file.is_file():
        return {}
    state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    carried: dict[str, Tensors] = state["param_groups"][0].get(_KEY, {})
    return carried
