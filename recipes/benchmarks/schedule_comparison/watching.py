"""Looks over the shoulder of any tool: what trained when, on which batches, how long it took."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from measured.process import peak_mib
from torch import nn

from hf_transfer_plugin.layers import layer_groups
from schedule_comparison.schedule import Thaw

__all__ = ["TrainingWatch"]


class TrainingWatch:
    """Counts the training steps of a model and checks each thaw point, through a forward hook.

    The time that the hook takes is left out of what is measured.

    Args:
        model: the network that the tool trains, before it is given to the tool.
        thaws: what is to train from which step on.
        total_steps: optimizer steps that are expected.
    """

    def __init__(self, model: nn.Module, thaws: Sequence[Thaw], total_steps: int) -> None:
        self._model = model
        self._thaws = {thaw.step: thaw for thaw in thaws}
        self._total = total_steps
        parameters = dict(model.named_parameters())
        self._groups = {
            group.name: [parameters[name] for name in group.parameter_names]
            for group in layer_groups(model)
        }
        self._initial = self._sums()
        self._trained: set[str] = set()
        self._digest = hashlib.sha256()
        self._steps = 0
        self._own_seconds = 0.0
        self._trainable = 0
        self._created = self._first = time.perf_counter()
        self._hook = model.register_forward_pre_hook(self._before_forward, with_kwargs=True)

    def finish(self) -> dict[str, Any]:
        """Stop watching, check the whole, and return what was measured.

        Raises:
            RuntimeError: when the tool trained something else than it was to.
        """
        ended = time.perf_counter()
        peak = peak_mib()
        self._hook.remove()
        self._require(self._steps == self._total, f"{self._steps} steps, not {self._total}")
        self._check_weights()
        return {
            "seconds": ended - self._first - self._own_seconds,
            "setup_seconds": self._first - self._created,
            "peak_mib": peak,
            "steps": self._steps,
            "thaw_points_checked": len(self._thaws),
            "trainable_parameters": self._trainable,
            "batches": self._digest.hexdigest()[:16],
            "weights": self._weights(),
        }

    def _before_forward(self, model: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if not model.training:
            return
        began = time.perf_counter()
        if self._steps == 0:
            self._first = began
        if self._steps in self._thaws:
            self._check_thaw(self._thaws[self._steps])
        if self._steps == self._total - 1:
            self._trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        name = "input_ids" if "input_ids" in kwargs else "pixel_values"
        # A sample of a large batch names it well enough.
        values = kwargs[name].flatten()
        self._digest.update(values[:: max(1, len(values) // 4096)].contiguous().numpy().tobytes())
        self._steps += 1
        self._own_seconds += time.perf_counter() - began

    def _check_thaw(self, thaw: Thaw) -> None:
        for name, parameters in self._groups.items():
            trains = {parameter.requires_grad for parameter in parameters}
            self._require(
                trains == {name in thaw.trains},
                f"at step {thaw.step} requires_grad of {name} is {trains}",
            )
        self._check_weights()
        self._trained |= set(thaw.trains)

    def _check_weights(self) -> None:
        """Require that what trained has moved and that what never did has kept every bit."""
        for name, current in self._sums().items():
            moved = current != self._initial[name]
            self._require(
                moved == (name in self._trained),
                f"before step {self._steps} the weights of {name} had {'' if moved else 'not '}"
                "moved",
            )

    def _sums(self) -> dict[str, tuple[int, ...]]:
        return {
            name: tuple(_bit_sum(parameter) for parameter in parameters)
            for name, parameters in self._groups.items()
        }

    def _weights(self) -> str:
        digest = hashlib.sha256()
        for parameter in self._model.parameters():
            digest.update(parameter.detach().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def _require(self, holds: bool, found: str) -> None:
        if not holds:
            raise RuntimeError(f"the tool does not follow the schedule: {found}")


def _bit_sum(parameter: nn.Parameter) -> int:
    # numpy casts piece by piece: a copy of the embeddings would count as memory of the tool.
    return int(parameter.detach().reshape(-1).numpy().view(np.int32).sum(dtype=np.int64))
