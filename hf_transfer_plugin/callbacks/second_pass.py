"""The model once more on the batch of a pass, with other dropout masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["SecondPass", "statistics_at_rest"]


class SecondPass:
    """Runs a model a second time, where the first pass drew random numbers.

    A pass that draws none has no dropout on, and a second one would say the same. Both draw from
    the generators of the run, which a checkpoint holds.

    Args:
        model: the innermost one that Trainer knows.
        device: on which it is.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model, self._device = model, device
        self._before: tuple[torch.Tensor, ...] = ()

    def first_begins(self) -> None:
        """Remember the generators as they are before the first pass."""
        self._before = self._generators()

    def run(self, given: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return what the model returns the second time; None when the first pass drew nothing.

        The hooks of the model itself do not hear of it, and running statistics rest.

        Args:
            given: positional arguments of the first pass.
            kwargs: named ones.
        """
        now = self._generators()
        if all(torch.equal(a, b) for a, b in zip(self._before, now, strict=True)):
            return None
        with statistics_at_rest(self._model):
            return self._model.forward(*given, **kwargs)

    def _generators(self) -> tuple[torch.Tensor, ...]:
        states = (torch.get_rng_state(),)
        if self._device.type == "cpu":
            return states
        return (*states, torch.get_device_module(self._device).get_rng_state(self._device))


@contextmanager
def statistics_at_rest(model: nn.Module) -> Iterator[None]:
    """Let each BatchNorm that normalises by the batch do so without moving its statistics."""
    norms = [
        part
        for part in model.modules()
        if isinstance(part, _BatchNorm) and part.training and part.track_running_stats
    ]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
