"""What a training run took of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from hf_transfer_plugin.serialization import Record

__all__ = ["RunCost"]


@dataclass(frozen=True)
class RunCost(Record):
    """Work, memory and energy of one training run, of the first process.

    Attributes:
        training_passes: batches that were trained on; each is one forward pass.
        evaluation_passes: batches of validation and test that were answered.
        device: name of the accelerator; "" for the processor alone.
        threads: processor threads that torch used.
        peak_memory: bytes: on an accelerator the most that tensors held, else the most that the
            process held; None where the system does not tell.
        power_limit: of the accelerator's board, in watts; None where not known.
        joules: what a counter of the accelerator or the processor measured, of everything that
            ran on it; None without a counter.
    """

    training_passes: int = 0
    evaluation_passes: int = 0
    device: str = ""
    threads: int = 1
    peak_memory: int | None = None
    power_limit: float | None = None
    joules: float | None = None
