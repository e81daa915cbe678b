"""How many processes run, which one writes, and whether they are the ones that were asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from hf_transfer_plugin.errors import LaunchError

if TYPE_CHECKING:
    from accelerate.state import PartialState

__all__ = [
    "cpu_only",
    "end_processes",
    "is_first",
    "of_all",
    "of_first",
    "own_rows",
    "require_processes",
    "wait_for_all",
    "world_size",
]

_Value = TypeVar("_Value")
_RIGHT = (
    "accelerate launch --multi_gpu --num_processes {wanted} --num_machines 1 "
    "--mixed_precision no --dynamo_backend no SCRIPT, or torchrun --nproc_per_node {wanted} SCRIPT"
)


def world_size() -> int:
    """Return the number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def cpu_only() -> bool:
    """Tell whether there is no accelerator."""
    import torch

    return not torch.accelerator.is_available()


def is_first() -> bool:
    """Tell whether this process writes files and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


def of_first(value: str) -> str:
    """Return the value that the first process gave."""
    if world_size() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    _state()
    (shared,) = broadcast_object_list([value])
    return str(shared)


def of_all(value: _Value) -> list[_Value]:
    """Return the value that each process gave, in the order of the processes."""
    if world_size() == 1:
        return [value]
    from accelerate.utils import gather_object

    _state()
    return list(gather_object([value]))


def own_rows(rows: int) -> int:
    """Return how many rows of this process's last batch are rows of the dataset.

    accelerate fills the last batches up with rows of the start, so that all processes have as many;
    `gather_for_metrics` leaves them out in the same way.

    Args:
        rows: of the batch, in this process.
    """
    if world_size() == 1:
        return rows
    from accelerate.state import GradientState

    state = GradientState()
    if not state.end_of_dataloader or state.remainder <= 0:
        return rows
    left: int = state.remainder - rows * _state().process_index
    return min(max(left, 0), rows)


def wait_for_all() -> None:
    """Wait until every process is here."""
    if world_size() > 1:
        _state().wait_for_everyone()


def end_processes() -> None:
    """Leave the process group; models must be freed before, or the exit may abort."""
    if world_size() > 1:
        import gc

        import torch.distributed

        gc.collect()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def require_processes(wanted: int | None = None) -> int:
    """Compare the processes that run with those that were asked for.

    Args:
        wanted: asked for by the config; None asks the launcher's own command line.

    Returns:
        The world size.

    Raises:
        LaunchError: when they differ (`accelerate launch --cpu --num_processes 2` runs one).
    """
    running = world_size()
    wanted = wanted or _asked_of_launcher() or running
    if wanted != running:
        raise LaunchError(
            arrived=f"{running} process{'es' if running > 1 else ''} running",
            expected=f"{wanted}, as asked for",
            action="launch with " + _RIGHT.format(wanted=wanted),
        )
    return running


def _state() -> PartialState:
    from accelerate.state import PartialState

    return PartialState(cpu=cpu_only())


def _asked_of_launcher() -> int | None:
    """Read --num_processes from the `accelerate launch` above this process, if there is one."""
    import psutil

    for parent in psutil.Process().parents():
        try:
            words = parent.cmdline()
        except psutil.Error:
            continue
        if "launch" not in words or not any("accelerate" in word for word in words):
            continue
        for word, following in zip(words, [*words[1:], ""], strict=True):
            name, _, value = word.partition("=")
            if name.lstrip("-").replace("-", "_") == "num_processes":
                number = value or following
                return int(number) if number.isdigit() else None
    return None
