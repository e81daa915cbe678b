"""Small batches on which a model is asked where its frozen prefix ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hf_transfer_plugin.prefix.leaf_shapes import BatchSize

if TYPE_CHECKING:
    from hf_transfer_plugin.prefix.row_source import RowSource

__all__ = ["Probe", "Probes", "make_probes", "trial", "without_padding"]

Batch = dict[str, Any]
_ROWS = 3


@dataclass(frozen=True)
class Probe:
    """A batch and what is known of its rows.

    Attributes:
        rows: numbers of the rows.
        batch: what the model reads, on its device.
        size: rows and padded length.
        lengths: of the rows; None when nothing is padded.
    """

    rows: tuple[int, ...]
    batch: Batch
    size: BatchSize
    lengths: tuple[int, ...] | None


@dataclass(frozen=True)
class Probes:
    """Two batches of different size, and one row of the first one alone.

    Attributes:
        first: rows of different lengths.
        second: fewer rows, none as long as the longest of `first`.
        alone: the last row of `first`, its shortest.
        left: padding comes before the rows.
    """

    first: Probe
    second: Probe
    alone: Probe
    left: bool


def make_probes(source: RowSource, place: Callable[[Batch], Batch]) -> Probes:
    """Choose rows of a source; of two domains as many of each, for a loss may compare them.

    Args:
        source: where the rows come from.
        place: brings a batch to the device of the model.
    """
    lengths = source.lengths()
    first: list[int] = []
    second: list[int] = []
    for rows in source.domains:
        if lengths is None:
            order = np.linspace(rows.start, rows.stop - 1, 2 * _ROWS).astype(int).tolist()
            first, second = first + order[:_ROWS], second + order[_ROWS : 2 * _ROWS - 1]
        else:
            by_length = (
                rows.start + np.argsort(-lengths[rows.start : rows.stop], kind="stable")
            ).tolist()
            first += [by_length[0], by_length[len(by_length) // 2], by_length[-1]]
            second += by_length[-2:]
    if lengths is not None:
        first.sort(key=lambda row: -lengths[row])
        if lengths[second].max() == lengths[first].max():
            second = first[-1:] * 2
        # A dimension must not be able to follow the rows and the length at once.
        if lengths[first].max() * len(second) == lengths[second].max() * len(first):
            second = [*second, *first[-1:] * 2]
    made = [_probe(source, rows, lengths, place) for rows in (first, second, first[-1:])]
    return Probes(made[0], made[1], made[2], source.rules.left)


def _probe(
    source: RowSource,
    rows: list[int],
    lengths: np.ndarray | None,
    place: Callable[[Batch], Batch],
) -> Probe:
    of_rows = None if lengths is None else tuple(int(lengths[row]) for row in rows)
    length = source.rules.batch_length(of_rows) if of_rows is not None else 0
    batch = place(dict(source.batch(rows)))
    return Probe(tuple(rows), batch, BatchSize(len(rows), length), of_rows)


def without_padding(
    value: torch.Tensor, shape: tuple[int | None, ...], probe: Probe, *, left: bool
) -> torch.Tensor:
    """Return a batch of rows with zeros in the cells that padding filled.

    Args:
        value: [rows, ...].
        shape: of one row, None where it is padded.
        probe: whose rows they are.
        left: padding comes before the rows.
    """
    if probe.lengths is None or None not in shape:
        return value.clone()
    clean = torch.zeros_like(value)
    for row, length in enumerate(probe.lengths):
        cells = slice(probe.size.length - length, None) if left else slice(0, length)
        inside = (row, *(cells if size is None else slice(None) for size in shape))
        clean[inside] = value[inside]
    return clean


@contextmanager
def trial(model: nn.Module, *, training: bool, seed: int = 0) -> Iterator[None]:
    """Run something in this mode; leave modes, buffers and random numbers as they were."""
    modes = [(module, module.training) for module in model.modules()]
    # Copies take the place of buffers: what a graph has saved is never written to.
    buffers = [(part, dict(part._buffers)) for part in model.modules() if part._buffers]
    for part, named in buffers:
        part._buffers.update({n: b if b is None else b.detach().clone() for n, b in named.items()})
    state, numbers = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model.train(training)
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numbers)
        for part, named in buffers:
            part._buffers.update(named)
        for module, mode in modes:
            module.training = mode
