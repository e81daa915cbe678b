"""Counts what a training run takes: batches, memory, energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.records import RunCost
from hf_transfer_plugin.train.energy import Counter, board_counter, package_counter

__all__ = ["Meter", "MeterCallback"]

_STATUS = Path("/proc/self/status")
_REFERENCES = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class Meter:
    """Measures from its making to `cost()`; peaks of memory begin anew."""

    def __init__(self) -> None:
        self.training = 0
        self.evaluation = 0
        self._on_cuda = torch.cuda.is_available()
        self._device = "" if cpu_only() else str(torch.accelerator.current_accelerator())
        self._joules: Counter | None = None
        self._limit: float | None = None
        if self._on_cuda:
            self._device = torch.cuda.get_device_name()
            torch.cuda.reset_peak_memory_stats()
            uuid = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
            self._joules, self._limit = board_counter(uuid)
        else:
            _forget_peak()
            self._joules = None if self._device else package_counter()
        self._begun = self._joules() if self._joules else 0.0

    def keep_up(self) -> None:
        """Read the counter of a processor before it can go round."""
        if self._joules and not self._on_cuda:
            self._joules()

    def cost(self) -> RunCost:
        """Return what was taken so far."""
        memory = torch.cuda.max_memory_allocated() if self._on_cuda else _peak()
        return RunCost(
            training_passes=self.training,
            evaluation_passes=self.evaluation,
            device=self._device,
            threads=torch.get_num_threads(),
            peak_memory=memory,
            power_limit=self._limit,
            joules=self._joules() - self._begun if self._joules else None,
        )


class MeterCallback(TrainerCallback):
    """Counts the batches of a Trainer.

    Args:
        meter: to count with.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Count a batch whose gradients are kept for the next one."""
        self._meter.training += 1

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Count the last batch of an optimizer step."""
        self._meter.training += 1
        self._meter.keep_up()

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Count a batch that was answered."""
        self._meter.evaluation += 1


def _forget_peak() -> None:
    """Let the peak of this process begin anew; where that is refused, it is that of its life."""
    try:
        _REFERENCES.write_text(_RESET_PEAK)
    except OSError:
        return


def _peak() -> int | None:
    """Return the most bytes that this process held, if the system tells."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return int(found) * 1024 if found else None
