"""What a pass over the examples will take, from one small batch."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.processes import cpu_only

__all__ = ["pass_seconds"]

SMALL_BATCH = 8


def pass_seconds(
    checkpoint: Checkpoint, data: TargetData, prepared: Prepared, rows: Sequence[int]
) -> float | None:
    """Estimate the seconds of one forward pass over rows of train, loading included.

    The first rows run twice: once to warm up, once against the clock. Features that are in the
    cache will take less.

    Args:
        checkpoint: what is to run.
        data: checked data.
        prepared: its train split, in the form the checkpoint reads.
        rows: row numbers of train.

    Returns:
        Seconds, or None for a network that does not run on these rows (the pass itself will say
        why).

    Raises:
        CheckpointError: for weights that cannot be loaded.
    """
    import torch

    start = time.perf_counter()
    device = torch.device("cpu") if cpu_only() else torch.accelerator.current_accelerator()
    model: Any = checkpoint.backbone(weights="pretrained", image_size=data.spec.image_size)
    model.eval().to(device)
    if data.task == "image-classification":
        model.to(memory_format=torch.channels_last)
    loading = time.perf_counter() - start
    few = list(rows[:SMALL_BATCH])
    try:
        first = _seconds(model, prepared, few, device)
        again = _seconds(model, prepared, few, device)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        return None
    return loading + min(first, again) * math.ceil(len(rows) / len(few))


def _seconds(model: Any, prepared: Prepared, rows: Sequence[int], device: Any) -> float:
    import torch

    start = time.perf_counter()
    table = prepared.splits["train"].select(rows)
    batch = prepared.collate([table[place] for place in range(len(rows))])
    inputs = {name: value.to(device) for name, value in batch.items() if name != "labels"}
    with torch.inference_mode():
        model(**inputs)
    if device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - start
