"""Tensors to the bytes of a data file, and rows of it gathered into one padded tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from hf_transfer_plugin.prefix.array_file import ArrayFile
from hf_transfer_plugin.prefix.entry import ArraySpec

__all__ = ["chunk_parts", "gather"]


def chunk_parts(
    array: ArraySpec, lengths: Sequence[int], given: torch.Tensor | Sequence[torch.Tensor]
) -> Iterator[memoryview]:
    """Yield the bytes of the rows of a chunk, one after the other.

    Args:
        array: what the rows belong to.
        lengths: length of each row.
        given: one tensor per row, or all stacked.

    Raises:
        ValueError: when the number of rows or the shape of one is not that of the array.
    """
    dtype = getattr(torch, array.dtype)
    shapes = [array.row_shape(length) for length in lengths]
    if isinstance(given, torch.Tensor) and not array.ragged:
        given, shapes = [given], [(len(shapes), *array.row_shape(0))]
    if len(given) != len(shapes):
        raise ValueError(f"array {array.name}: {len(given)} rows for a chunk of {len(shapes)}")
    for tensor, shape in zip(given, shapes, strict=True):
        if tensor.shape != shape:
            raise ValueError(f"array {array.name}: {tuple(tensor.shape)} for a row of {shape}")
        yield _as_bytes(tensor.detach().to("cpu", dtype).contiguous())


def _as_bytes(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor on the CPU; they share its memory."""
    flat: npt.NDArray[np.uint8] = tensor.view(-1).view(torch.uint8).numpy()
    return flat.data


def gather(
    file: ArrayFile,
    array: ArraySpec,
    starts: Sequence[int],
    lengths: Sequence[int],
    length: int,
    pad: float,
    left: bool,
) -> torch.Tensor:
    """Read rows into one tensor [rows, *shape of a row of that length].

    Args:
        file: where the array lies.
        array: what it is.
        starts: first byte of each row.
        lengths: length of each row.
        length: what every ragged dimension becomes.
        pad: what stands in the cells outside a row.
        left: rows sit at the end of each ragged dimension instead of at its start.
    """
    batch = torch.empty(len(starts), *array.row_shape(length), dtype=getattr(torch, array.dtype))
    if not batch.numel():
        return batch
    if array.ragged and min(lengths) < length:
        batch.fill_(pad)
    if array.ragged == 0 or (array.ragged == 1 and array.shape[0] is None):
        _in_place(file, batch, array, starts, lengths if array.ragged else None, left)
    else:
        _through_copies(file, batch, array, starts, lengths, left)
    return batch


def _in_place(
    file: ArrayFile,
    batch: torch.Tensor,
    array: ArraySpec,
    starts: Sequence[int],
    lengths: Sequence[int] | None,
    left: bool,
) -> None:
    """Read each row straight to where it belongs: it is one stretch of the batch."""
    target = _as_bytes(batch)
    whole, unit, read = len(target) // len(starts), array.unit, file.read_into
    if lengths is None:
        for row, start in enumerate(starts):
            read(target[row * whole : (row + 1) * whole], start)
        return
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        size = length * unit
        first = (row + 1) * whole - size if left else row * whole
        read(target[first : first + size], start)


def _through_copies(
    file: ArrayFile,
    batch: torch.Tensor,
    array: ArraySpec,
    starts: Sequence[int],
    lengths: Sequence[int],
    left: bool,
) -> None:
    longest = array.row_shape(max(lengths))
    space = torch.empty(longest, dtype=batch.dtype).view(-1)
    content = _as_bytes(space)
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        if not length:
            continue
        shape = array.row_shape(length)
        size = length**array.ragged * array.unit
        file.read_into(content[:size], start)
        place = batch[row]
        for dim, given in enumerate(array.shape):
            if given is None:
                place = place.narrow(dim, place.shape[dim] - length if left else 0, length)
        place.copy_(space[: size // space.element_size()].view(shape))
