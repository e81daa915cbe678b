"""A copy of the best weights of a run, and the way back to them."""

from __future__ import annotations

from torch import nn

from hf_transfer_plugin.callbacks.base_weights import copy_into
from hf_transfer_plugin.callbacks.carried_tensors import CarriedTensors, Tensors
from hf_transfer_plugin.callbacks.stepped_weights import SteppedWeights

__all__ = ["BestWeights"]

_KEY = "hf_transfer_plugin_best"


class BestWeights:
    """Keeps what the optimizer steps, and all buffers, as they were at their best.

    The copy lies in the memory of the CPU and travels in checkpoints, inside optimizer.pt.

    Args:
        model: the model that trains.
        weights: what the optimizer steps.
    """

    def __init__(self, model: nn.Module, weights: SteppedWeights) -> None:
        self._model, self._weights = model, weights
        self._carried = CarriedTensors(weights.optimizer, lambda: {"best": self._best}, _KEY)
        self._best: Tensors = self._carried.loaded.get("best", {})
        if not self._best:
            self.keep()

    def keep(self) -> None:
        """Take the weights as they are now."""
        held = {id(each) for group in self._weights.groups() for each in group}
        stepped = [(n, p) for n, p in self._model.named_parameters() if id(p) in held]
        kept = [*stepped, *self._model.named_buffers()]
        self._best = {name: tensor.detach().cpu().clone() for name, tensor in kept}

    def restore(self) -> None:
        """Put the copy back; momentum belongs to the weights that are left behind."""
        for parameter in copy_into(self._model, self._best):
            self._weights.forget(parameter)

    def remove(self) -> None:
        """Leave the optimizer as it was."""
        self._carried.remove()
