"""Features of a whole split, as a ranking scores them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, prepare
from hf_transfer_plugin.select.features import layer_features

__all__ = ["embedded"]


def embedded(
    checkpoint: Checkpoint,
    data: TargetData,
    role: str,
    *,
    rows: list[int] | None = None,
    weights: Literal["pretrained", "random"] = "pretrained",
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return features [rows, width]: of texts the mean of all hidden states, of images the last.

    They are kept in the cache of frozen layers (`hf-tl cache`), so a second call reads them.

    Args:
        checkpoint: what computes them.
        data: checked data.
        role: "train", "validation" or "test".
        rows: row numbers; None: all.
        weights: "random" draws them with `seed`.
        seed: of random weights.
    """
    prepared = prepare(checkpoint, data, (role,))
    found = layer_features(checkpoint, data, prepared, rows, role=role, weights=weights, seed=seed)
    return np.asarray(found.mean, dtype=np.float64)
