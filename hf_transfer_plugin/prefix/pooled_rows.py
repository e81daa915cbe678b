"""Pooled features of every row in the cache, for rankings, probes and neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import default_folder
from hf_transfer_plugin.prefix.determinism import check_deterministic
from hf_transfer_plugin.prefix.row_source import RowSource
from hf_transfer_plugin.prefix.row_store import ArraySpec, RowStore
from hf_transfer_plugin.prefix.unit_calls import LayerUnits
from hf_transfer_plugin.prefix.weights_digest import WeightsDigest
from hf_transfer_plugin.terminal import track

__all__ = ["kept_rows"]

_BATCH = 32


def kept_rows(
    model: nn.Module,
    source: RowSource,
    pool: Callable[[dict[str, Any]], torch.Tensor],
    note: str,
) -> torch.Tensor:
    """Return what `pool` gives for each row; computed only where the cache lacks it.

    Args:
        model: everything that `pool` computes with.
        source: of the rows.
        pool: batch -> [rows, layers, width] in float32, on the CPU.
        note: what a progress line says.

    Returns:
        [rows, layers, width], in the order of the source.

    Raises:
        CacheSpaceError: when the cache has no room.
        NotCacheable: when the rows are random.
        RecordError: when its folder cannot be written.
    """
    check_deterministic(source)
    key = {
        "kind": "pooled",
        "data": source.fingerprint(),
        "weights": WeightsDigest(LayerUnits(model)).whole(),
    }
    spec = ArraySpec("pooled", "float32", tuple(pool(source.batch([0])).shape[1:]))
    store = RowStore.open(
        default_folder(),
        key,
        [spec],
        source.rows,
        source.lengths(),
        budget=Budget.of(None),
        note={"holds": note},
    )
    # In several processes the first to come computes, the others wait and read.
    if not store.is_complete:
        with store.locked():
            for chunk in track(store.missing(), note):
                rows = store.chunk_rows(chunk)
                pieces = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
                found = torch.cat([pool(source.batch(piece.tolist())) for piece in pieces])
                store.write(chunk, {"pooled": found})
    return store.read(np.arange(source.rows))["pooled"]
