"""TransformerRanker on the same candidates and rows; it reads texts only."""

from __future__ import annotations

import time
from typing import Any

import torch

from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.processes import cpu_only

__all__ = ["ESTIMATORS", "rank_elsewhere"]

#: The first is its default; the mean over layers is the default too.
ESTIMATORS = ("hscore", "logme")


def rank_elsewhere(estimator: str, names: dict[str, str], data: TargetData) -> dict[str, Any]:
    """Return TransformerRanker's score of each candidate.

    It is given the training rows alone: of a data set with several splits it would read the test
    rows too. Texts are not cut to `max_length`, which it cannot be told.

    Args:
        estimator: of ESTIMATORS.
        names: candidate -> its folder.
        data: the target.
    """
    from transformer_ranker import TransformerRanker

    (column,) = data.inputs
    began = time.perf_counter()
    ranker = TransformerRanker(data.splits["train"], text_column=column, label_column="label")
    device = "cpu" if cpu_only() else str(torch.accelerator.current_accelerator())
    found = ranker.run(
        list(names.values()), estimator=estimator, batch_size=32, device=device
    ).scores
    return {
        "examples": len(ranker.texts),
        "scores": {name: float(found[folder]) for name, folder in names.items()},
        "seconds": time.perf_counter() - began,
    }
