"""The inputs of every row in the cache, and batches made of them without reading the dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from hf_transfer_plugin.prefix.cut import Cut, Tap
from hf_transfer_plugin.prefix.leaf_shapes import LeafShape
from hf_transfer_plugin.prefix.padding import RowField
from hf_transfer_plugin.prefix.probes import Batch
from hf_transfer_plugin.prefix.row_source import RowSource
from hf_transfer_plugin.prefix.row_store import ArraySpec, RowStore
from hf_transfer_plugin.prefix.verifying import is_large_row

__all__ = ["StoredRows", "array_spec", "input_specs"]


def input_specs(source: RowSource) -> list[ArraySpec]:
    """Return the inputs that are kept: all but those that only the first layers read."""
    return [array_spec(f.name, f.dtype, f.shape) for f in source.rules.fields if not _is_large(f)]


def array_spec(name: str, dtype: torch.dtype | str, shape: tuple[int | None, ...]) -> ArraySpec:
    """Return the array of a tensor type."""
    return ArraySpec(name, str(dtype).removeprefix("torch."), shape)


class StoredRows:
    """Makes batches as the collator would, from an entry of the cache.

    Args:
        source: of the rows.
        store: the entry with the arrays of `input_specs`.
    """

    def __init__(self, source: RowSource, store: RowStore) -> None:
        self.source, self.store = source, store
        self._rules = source.rules
        self._lengths = source.lengths()
        self._large = [each for each in self._rules.fields if _is_large(each)]
        self._kept = {spec.name for spec in store.specs}

    def batch_length(self, rows: np.ndarray) -> int:
        """Return the length to which a batch of rows is padded; 0 when nothing is padded."""
        return 0 if self._lengths is None else self._rules.batch_length(self._lengths[rows])

    def batch(self, rows: np.ndarray) -> Batch:
        """Return a batch; large inputs are stand-ins that take no memory."""
        length = self.batch_length(rows)
        pads = {name: pad for name, pad in self._rules.pads.items() if name in self._kept}
        found: dict[str, Any] = dict(
            self.store.read(rows, length or None, pads, left=self._rules.left)
        )
        for each in self._large:
            sizes = [length if size is None else size for size in each.shape]
            found[each.name] = torch.zeros((), dtype=each.dtype).expand(len(rows), *sizes)
        return {**found, **self._rules.constants}

    def split(self, batch: Batch, rows: np.ndarray) -> dict[str, list[torch.Tensor]]:
        """Cut a batch of the dataset into the rows that are kept."""
        return {
            name: values
            for name, values in self.source.split(batch, rows.tolist()).items()
            if name in self._kept
        }

    def unpadded(
        self, value: torch.Tensor, shape: LeafShape, rows: np.ndarray
    ) -> list[torch.Tensor]:
        """Cut what a tap holds for a batch into rows without padding, on the CPU."""
        value = value.cpu()
        row = shape.kept_row() or ()
        if self._lengths is None or None not in row:
            return list(value.unbind())
        whole = self.batch_length(rows)
        found = []
        for each, length in zip(value.unbind(), self._lengths[rows].tolist(), strict=True):
            cells = slice(whole - length, None) if self._rules.left else slice(0, length)
            found.append(each[tuple(cells if size is None else slice(None) for size in row)])
        return found

    def values(
        self, cut: Cut, store: RowStore, rows: np.ndarray, device: torch.device
    ) -> Mapping[Tap, torch.Tensor]:
        """Return what each tap of a cut holds for a batch of rows, padded, on a device."""
        length = self.batch_length(rows)
        found = store.read(rows, length or None, left=self._rules.left)
        return {
            tap: tap.shape.fed(found[tap.name].to(device=device, dtype=tap.shape.dtype))
            for tap in cut.taps
        }


def _is_large(each: RowField) -> bool:
    return is_large_row(each.dtype, _sizes(each.shape))


def _sizes(shape: Sequence[int | None]) -> list[int]:
    return [1 if size is None else size for size in shape]
