"""The least that any method pays which reads the data once: a bare forward pass."""

from __future__ import annotations

import time
from typing import Any

import torch
from measured.process import peak_mib
from torch.utils.data import DataLoader

from prefix_comparison.bench import Bench

__all__ = ["pass_forward"]


def pass_forward(bench: Bench) -> dict[str, Any]:
    """Run the model once over the training rows, in their order."""
    model = bench.model().eval()
    rows = 0
    began = time.perf_counter()
    batches = DataLoader(
        bench.train, batch_size=bench.run.batch_size, collate_fn=bench.prepared.collate
    )
    with torch.inference_mode():
        for batch in batches:
            rows += len(batch.pop("labels"))
            model(**batch)
    return {"seconds": time.perf_counter() - began, "peak_mib": peak_mib(), "rows": rows}
