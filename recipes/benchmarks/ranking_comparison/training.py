"""One fine-tuning of a candidate, and which test rows the result gets right."""

from __future__ import annotations

import time
from typing import Any

from tuning.training import hits_of, in_memory, tuned

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, prepare

__all__ = ["tune"]


def tune(
    checkpoint: Checkpoint, data: TargetData, seed: int, epochs: int, rate: float
) -> dict[str, Any]:
    """Fine-tune a checkpoint on the training rows of a target.

    Returns:
        "accuracy" on the test rows, "hits" (a digit for each test row, 1 where it is right) and
        "seconds", all included.
    """
    began = time.perf_counter()
    prepared = prepare(checkpoint, data, ("train", "test"))
    rows, collate = in_memory(prepared, "train"), prepared.collate
    model = tuned(checkpoint, data, rows, collate, seed=seed, epochs=epochs, rate=rate)
    hits = hits_of(model, in_memory(prepared, "test"), collate)
    return {
        "accuracy": sum(hits) / len(hits),
        "hits": "".join(str(int(hit)) for hit in hits),
        "seconds": time.perf_counter() - began,
    }
