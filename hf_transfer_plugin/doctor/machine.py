"""Accelerators, processor cores, memory and disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hf_transfer_plugin.doctor.finding import Finding
from hf_transfer_plugin.prefix.cache_folder import default_folder
from hf_transfer_plugin.prefix.disk_errors import size_text

__all__ = ["machine_findings"]

_GB = 1000**3
# A small network with its optimizer, and one such network on disk with its checkpoints.
_LITTLE_MEMORY, _LITTLE_DISK = 2 * _GB, 5 * _GB


def machine_findings() -> Iterator[Finding]:
    """Yield what there is to train on, and where to write."""
    yield from _accelerators()
    yield _cores()
    yield _memory()
    from huggingface_hub.constants import HF_HOME

    folders = {
        "disk: this folder": Path.cwd(),
        "disk: cache of the Hub": Path(HF_HOME),
        "disk: activations": default_folder(),
        "disk: temporary files": Path(tempfile.gettempdir()),
    }
    for subject, folder in folders.items():
        yield disk(subject, folder)


def disk(subject: str, folder: Path) -> Finding:
    """Return how much room there is, and whether this user may write.

    Args:
        subject: what the folder is for.
        folder: there or not; the nearest one above it that is there decides.
    """
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
    if not os.access(there, os.W_OK | os.X_OK):
        action = "name another folder (HF_HOME, HF_TL_CACHE, TMPDIR), or mend its permissions"
        return Finding(subject, f"{there} is not writable", "error", action)
    free = shutil.disk_usage(there).free
    if free < _LITTLE_DISK:
        action = "free some: `hf cache prune`, `hf-tl cache --delete-all`, or name another disk"
        return Finding(subject, f"{size_text(free)} free at {there}", "warning", action)
    return Finding(subject, f"{size_text(free)} free at {there}")


def _accelerators() -> Iterator[Finding]:
    import torch

    if not torch.accelerator.is_available():
        found = f"none; torch {torch.__version__} trains on processor cores"
        action = "small networks and few rows are fine; for more, use a GPU and torch built for it"
        yield Finding("accelerator", found, "note", action)
        return
    kind = torch.accelerator.current_accelerator()
    for index in range(torch.accelerator.device_count()):
        if kind is not None and kind.type == "cuda":
            properties = torch.cuda.get_device_properties(index)
            bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16: use fp16"
            memory = size_text(properties.total_memory)
            yield Finding(f"accelerator {index}", f"{properties.name}, {memory}, {bf16}")
        else:
            yield Finding(f"accelerator {index}", str(kind))


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS")
    found = f"{usable} cores" + (f", OMP_NUM_THREADS={threads}" if threads else "")
    return Finding("processor", found)


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{size_text(memory.available)} free of {size_text(memory.total)}"
    if memory.available < _LITTLE_MEMORY:
        action = "close other programs, or train an adapter or the head alone"
        return Finding("memory", found, "warning", action)
    return Finding("memory", found)
