"""Pooled features of every row in the cache, for rankings, profiles, probes and neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import default_folder
from hf_transfer_plugin.prefix.determinism import NotCacheable, check_deterministic
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
    pool: Callable[[Sequence[int]], Mapping[str, torch.Tensor]],
    note: str,
) -> dict[str, torch.Tensor]:
    """Return what `pool` gives for each row; computed only where the cache lacks it.

    Args:
        model: everything that `pool` computes with.
        source: of the rows.
        pool: row numbers -> arrays by name, [rows, width] each in float32, on the CPU. The
            widths may differ, the names are always the same.
        note: what a progress line says.

    Returns:
        The arrays by name, [rows, width] each, in the order of the source.

    Raises:
        CacheSpaceError: when the cache has no room.
        NotCacheable: when the rows are random, or the arrays differ from batch to batch.
        RecordError: when its folder cannot be written.
    """
    check_deterministic(source)
    first = pool([0])
    # A layer may be called anything; a file may not.
    specs = {
        name: ArraySpec(f"pooled-{number}", "float32", tuple(value.shape[1:]))
        for number, (name, value) in enumerate(first.items())
    }
    key = {
        "kind": "pooled",
        "arrays": json.dumps(list(specs)),
        "data": source.fingerprint(),
        "weights": WeightsDigest(LayerUnits(model)).whole(),
    }
    store = RowStore.open(
        default_folder(),
        key,
        list(specs.values()),
        source.rows,
        source.lengths(),
        budget=Budget.of(None),
        note={"holds": note},
    )
    # In several processes the first to come computes, the others wait and read.
    if not store.is_complete:
        with store.locked():
            for chunk in track(store.missing(), note):
                rows = store.chunk_rows(chunk).tolist()
                pieces = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
                found = [_checked(pool(piece), specs) for piece in pieces]
                arrays = {
                    spec.name: torch.cat([each[name] for each in found])
                    for name, spec in specs.items()
                }
                store.write(chunk, arrays)
    read = store.read(np.arange(source.rows))
    return {name: read[spec.name] for name, spec in specs.items()}


def _checked(
    found: Mapping[str, torch.Tensor], specs: Mapping[str, ArraySpec]
) -> Mapping[str, torch.Tensor]:
    for name, spec in specs.items():
        if name not in found or tuple(found[name].shape[1:]) != spec.shape:
            raise NotCacheable(f"what {name!r} gives differs in shape from batch to batch")
    return found
