"""How the shape of a tensor follows from the rows of a batch and the length they are padded to."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["BatchSize", "LeafShape"]


@dataclass(frozen=True)
class BatchSize:
    """Rows of a batch, and the length they are padded to (0 when nothing is padded)."""

    rows: int
    length: int = 0


@dataclass(frozen=True)
class LeafShape:
    """The shape of one tensor, learned from two batches of different size.

    Attributes:
        dims: for each dimension (size without a batch, multiple of the rows, multiple of the
            length); one of the three is not 0, or all are in an empty dimension.
        dtype: its type.
        channels_last: channels lie beside each other in memory, [rows, height, width, channels].
    """

    dims: tuple[tuple[int, int, int], ...]
    dtype: torch.dtype
    channels_last: bool = False

    @classmethod
    def learn(
        cls, first: torch.Tensor, sizes: BatchSize, second: torch.Tensor, others: BatchSize
    ) -> LeafShape | None:
        """Return the shape; None when it follows neither the rows nor the length."""
        if first.ndim != second.ndim or first.dtype != second.dtype:
            return None
        dims = []
        for one, two in zip(first.shape, second.shape, strict=True):
            if one == two:
                dims.append((one, 0, 0))
            elif _is_multiple(one, sizes.rows, two, others.rows):
                dims.append((0, one // sizes.rows, 0))
            elif _is_multiple(one, sizes.length, two, others.length):
                dims.append((0, 0, one // sizes.length))
            else:
                return None
        last = first.ndim == 4 and not first.is_contiguous()
        last = last and first.is_contiguous(memory_format=torch.channels_last)
        return cls(tuple(dims), first.dtype, last)

    def at(self, size: BatchSize) -> tuple[int, ...]:
        """Return the shape in a batch."""
        return tuple(fixed + r * size.rows + s * size.length for fixed, r, s in self.dims)

    def of_row(self) -> tuple[int | None, ...] | None:
        """Return the shape of one row, None standing for its length.

        Returns:
            None when the first dimension is not the rows, or another one follows them.
        """
        if not self.dims or self.dims[0] != (0, 1, 0):
            return None
        inner = self.dims[1:]
        if any(rows or length > 1 for _, rows, length in inner):
            return None
        return tuple(None if length else fixed for fixed, _, length in inner)

    def kept(self, value: torch.Tensor) -> torch.Tensor:
        """Return a batch as it lies in memory: channels last, when the model has it so."""
        return value.permute(0, 2, 3, 1) if self.channels_last else value

    def fed(self, value: torch.Tensor) -> torch.Tensor:
        """Undo `kept`."""
        return value.permute(0, 3, 1, 2) if self.channels_last else value

    def kept_row(self) -> tuple[int | None, ...] | None:
        """Return the shape of one row as `kept` leaves it; None as for `of_row`."""
        shape = self.of_row()
        return (*shape[1:], shape[0]) if shape is not None and self.channels_last else shape

    def zeros(self, size: BatchSize, device: torch.device, *, solid: bool = False) -> torch.Tensor:
        """Return zeros of this shape: one number that is seen everywhere, or a solid tensor."""
        if solid:
            return torch.zeros(self.at(size), dtype=self.dtype, device=device)
        return torch.zeros((), dtype=self.dtype, device=device).expand(self.at(size))


def _is_multiple(one: int, base: int, two: int, other: int) -> bool:
    return bool(base) and bool(other) and one % base == 0 and one * other == two * base
