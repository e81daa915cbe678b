"""What the model could do before training, measured again on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["Probes"]

logger = logging.getLogger(__name__)


class Probes:
    """Measures what must not be forgotten.

    Args:
        probes: name -> function of the model; larger is better.
        model: the model that trains.
        before: values before training, of the run that is resumed; None measures them now.

    Attributes:
        before: name -> value before training.
    """

    def __init__(
        self,
        probes: Mapping[str, Callable[[nn.Module], float]],
        model: nn.Module,
        before: Mapping[str, float] | None,
    ) -> None:
        self._probes, self._model = probes, model
        self.before = dict(before) if before is not None else self._values()
        lost = ", ".join(sorted(self.before.keys() - probes.keys()))
        if lost:
            logger.warning("the checkpoint was made with probe_data that are missing now: %s", lost)

    def forgotten(self) -> dict[str, float]:
        """Return the drop of each probe since before training."""
        now = self._values()
        return {
            f"forgotten/{name}": self.before[name] - value
            for name, value in now.items()
            if name in self.before
        }

    def _values(self) -> dict[str, float]:
        found = {}
        for name, probe in self._probes.items():
            with _aside(self._model):
                found[name] = float(probe(self._model))
        return found


@contextmanager
def _aside(model: nn.Module) -> Iterator[None]:
    """Run something on the model that leaves the training as it was: random numbers, modes."""
    device = next(model.parameters()).device
    devices = [] if device.type == "cpu" else [device]
    training = model.training
    with torch.random.fork_rng(devices, device_type="cuda" if not devices else device.type):
        model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            model.train(training)
