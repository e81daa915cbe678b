"""Trained weights, kept on disk so that two runs can be held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

__all__ = ["largest_difference", "moved_weights", "weights_file"]


def weights_file(work: Path, dataset: str, arm: str, seed: int) -> Path:
    """Return where the trained weights of a run are kept."""
    return work / "weights" / f"{dataset}-{arm.replace(', ', '-')}-{seed}.safetensors"


def moved_weights(model: Any, initial: Any, file: Path) -> tuple[str, ...]:
    """Write the weights and statistics in which a model differs from its beginning.

    Args:
        model: after training.
        initial: the same model before it.
        file: is replaced.

    Returns:
        their names.
    """
    before = initial.state_dict()
    moved = {
        name: value.detach().contiguous()
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(moved, file)
    return tuple(sorted(moved))


def largest_difference(file: Path, other: Path) -> float | None:
    """Return the largest difference of any weight of two trained models.

    Args:
        file: what `moved_weights` wrote; what is in no file kept every bit.
        other: the same of the run that is the reference; it may be missing.

    Returns:
        None without a reference.

    Raises:
        RuntimeError: when other weights moved than in the reference.
    """
    if not other.is_file():
        return None
    ours, theirs = load_file(file), load_file(other)
    if set(ours) != set(theirs):
        raise RuntimeError(f"other weights moved than in {other.stem}: {set(ours) ^ set(theirs)}")
    return max(float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours)
