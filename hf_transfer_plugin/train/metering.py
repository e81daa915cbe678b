"""Counts what a training run takes: batches, memory, energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.records import RunCost
from hf_transfer_plugin.train.energy import board_counter, package_counter

__all__ = ["Meter", "MeterCallback"]

_STATUS = Path("/proc/self/status")
_REFERENCES = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class Meter:
    """Measures from its making to `cost()`; peaks of memory begin anew."""

    def __init__(self) -> None:
        self.training = 0
        self.evaluation = 0
        self._on_cuda = torch.cuda.is_available() and not cpu_only()
        if self._on_cuda:
            torch.cuda.reset_peak_memory_stats()
            uuid = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
            self._joules, self._limit = board_counter(uuid)
        else:
            _forget_peak()
            self._joules, self._limit = package_counter(), None
        self._begun = self._joules() if self._joules else 0.0

    def read(self) -> float | None:
        """Return the joules since the beginning; to be called before a counter can go round."""
        return self._joules() - self._begun if self._joules else None

    def cost(self) -> RunCost:
        """Return what was taken so far."""
        memory, device = _peak(), ""
        if self._on_cuda:
            memory, device = torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
        return RunCost(
            training_passes=self.training,
            evaluation_passes=self.evaluation,
            device=device,
            threads=torch.get_num_threads(),
            peak_memory=memory,
            power_limit=self._limit,
            joules=self.read(),
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
        self._meter.read()

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
