"""Computes what is missing in the cache: one pass over the rows, for several boundaries at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from hf_transfer_plugin.layer_wrappers import loaded
from hf_transfer_plugin.prefix.cut import Cut, Tap, capture, fed
from hf_transfer_plugin.prefix.folded_norms import folded_norms
from hf_transfer_plugin.prefix.leaf_shapes import BatchSize
from hf_transfer_plugin.prefix.probes import Batch, trial
from hf_transfer_plugin.prefix.row_source import RowSource
from hf_transfer_plugin.prefix.row_store import RowStore
from hf_transfer_plugin.prefix.stored_rows import StoredRows
from hf_transfer_plugin.prefix.unit_calls import LayerUnits
from hf_transfer_plugin.prefix.verifying import is_close
from hf_transfer_plugin.terminal import track

__all__ = ["Target", "fill"]

_ROWS, _TOKENS = 32, 2048
# Of the usual tolerance: folding must not add to what rounding does anyway.
_FOLDED = 0.05


@dataclass(frozen=True)
class Target:
    """A boundary and the entry that holds its rows."""

    cut: Cut
    store: RowStore


def fill(
    units: LayerUnits,
    source: RowSource,
    rows: StoredRows,
    targets: Sequence[Target],
    run: Callable[[Batch], Any],
    place: Callable[[Batch], Batch],
    *,
    base: Target | None = None,
    share: tuple[int, int] = (0, 1),
    note: str = "",
) -> int:
    """Compute the chunks that any of the entries lacks.

    Args:
        units: of the model.
        source: of the rows.
        rows: the entry of the inputs.
        targets: boundaries to fill.
        run: the forward pass of a batch.
        place: brings a batch to the device of the model.
        base: a complete boundary below all of them, from which to go on.
        share: number of this process and of all processes; each takes its part of the chunks.
        note: what a progress line says.

    Returns:
        the number of rows that this process computed.
    """
    stores = [rows.store, *(target.store for target in targets)]
    missing = sorted({chunk for store in stores for chunk in store.missing()})
    mine = missing[share[0] :: share[1]]
    worker = _Filling(units, source, rows, targets, run, place, base)
    with (
        _channels_last(units, targets, base),
        torch.inference_mode(),
        trial(units.model, training=False),
        _folded(worker, mine),
        ThreadPoolExecutor(1) as reader,
    ):
        ahead = _ahead(reader, worker.read, [worker.pieces(chunk) for chunk in mine])
        for chunk in track(mine, note) if mine else ():
            worker.compute(chunk, ahead)
    return sum(len(stores[0].chunk_rows(chunk)) for chunk in mine)


@dataclass(frozen=True)
class _Filling:
    units: LayerUnits
    source: RowSource
    rows: StoredRows
    targets: Sequence[Target]
    run: Callable[[Batch], Any]
    place: Callable[[Batch], Batch]
    base: Target | None

    def pieces(self, chunk: int) -> list[np.ndarray]:
        """Cut a chunk into batches: of few rows when they are long."""
        rows, lengths = self.rows.store.chunk_rows(chunk), self.source.lengths()
        if lengths is None:
            return [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
        found, start = [], 0
        while start < len(rows):
            # The first row is the longest.
            count = max(_TOKENS // max(int(lengths[rows[start]]), 1), 8)
            found.append(rows[start : start + count])
            start += count
        return found

    def read(self, rows: np.ndarray) -> Batch:
        """Read a batch: from the dataset, or from the cache when a lower boundary is there."""
        if self.base is None:
            return self.source.batch(rows.tolist())
        return self.rows.batch(rows)

    def compute(self, chunk: int, batches: Iterator[Batch]) -> None:
        """Compute one chunk and write it into every entry that lacks it."""
        wanted = [t for t in self.targets if chunk in t.store.missing()]
        taps = [tap for target in wanted for tap in target.cut.taps]
        kept: dict[Tap, list[torch.Tensor]] = {tap: [] for tap in taps}
        inputs: dict[str, list[torch.Tensor]] = {}
        for rows in self.pieces(chunk):
            batch = next(batches)
            if chunk in self.rows.store.missing():
                for name, values in self.rows.split(batch, rows).items():
                    inputs.setdefault(name, []).extend(values)
            if taps:
                found = self.captured(taps, batch, rows)
                for tap, values in kept.items():
                    values += self.rows.unpadded(tap.shape.kept(found[tap]), tap.shape, rows)
        if inputs:
            self.rows.store.write(chunk, inputs)
        for target in wanted:
            target.store.write(chunk, {tap.name: kept[tap] for tap in target.cut.taps})

    def captured(
        self, taps: Sequence[Tap], batch: Batch, rows: np.ndarray
    ) -> dict[Tap, torch.Tensor]:
        """Run the forward pass as far as the taps, and return what they hold."""
        placed = _fast(self.place(batch))
        if self.base is None:
            return capture(self.units, taps, lambda: self.run(placed))
        device = next(self.units.model.parameters()).device
        size = BatchSize(len(rows), self.rows.batch_length(rows))
        values = self.rows.values(self.base.cut, self.base.store, rows, device)
        react = fed(self.base.cut, values, size, device)
        return capture(self.units, taps, lambda: self.run(placed), react)


@contextmanager
def _folded(worker: _Filling, chunks: Sequence[int]) -> Iterator[None]:
    """Fold normalizations of the prefix into its convolutions, where that gives the same."""
    taps = [tap for target in worker.targets for tap in target.cut.taps]
    base = set(worker.base.cut.paths) if worker.base is not None else set()
    paths = {path for target in worker.targets for path in target.cut.paths} - base
    modules = [worker.units.modules[path] for path in paths]
    if not chunks or not any(isinstance(p, nn.BatchNorm2d) for m in modules for p in m.modules()):
        yield
        return
    rows = worker.pieces(chunks[0])[0][:2]
    batch = worker.read(rows)
    plain: dict[Tap, torch.Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(
            folded_norms(modules, lambda: plain.update(worker.captured(taps, batch, rows)))
        )
        found = worker.captured(taps, batch, rows)
        if not all(is_close(found[tap], plain[tap], loose=_FOLDED) for tap in taps):
            stack.close()
        yield


def _ahead(
    reader: ThreadPoolExecutor,
    read: Callable[[np.ndarray], Batch],
    chunks: Sequence[Sequence[np.ndarray]],
) -> Iterator[Batch]:
    """Read batches while the ones before are computed."""
    pieces = iter([piece for chunk in chunks for piece in chunk])
    waiting: list[Future[Batch]] = []
    for piece in pieces:
        waiting.append(reader.submit(read, piece))
        if len(waiting) > 2:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _fast(batch: Batch) -> Batch:
    """Return a batch whose images lie as convolutions read them fastest."""
    return {
        name: value.contiguous(memory_format=torch.channels_last)
        if isinstance(value, torch.Tensor) and value.ndim == 4 and value.is_floating_point()
        else value
        for name, value in batch.items()
    }


@contextmanager
def _channels_last(
    units: LayerUnits, targets: Sequence[Target], base: Target | None
) -> Iterator[None]:
    """Bring the convolutions of the prefix into the layout in which they run fastest."""
    paths = {path for target in targets for path in target.cut.paths}
    paths -= set(base.cut.paths) if base is not None else set()
    weights = [
        part.weight
        for path in paths
        for part in _without_adapters(units.modules[path])
        if isinstance(part, nn.Conv2d) and part.weight.is_contiguous()
    ]
    before = [weight.data for weight in weights]
    for weight in weights:
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    try:
        yield
    finally:
        for weight, data in zip(weights, before, strict=True):
            weight.data = data


def _without_adapters(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module and all within it, save what adapters are on: peft relies on its layout."""
    if not isinstance(module, loaded("peft.tuners.tuners_utils", "BaseTunerLayer")):
        yield module
        for child in module.children():
            yield from _without_adapters(child)
