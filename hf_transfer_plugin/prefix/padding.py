"""How single rows become a batch: what is padded, with what, on which side, to which length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["PaddingRules", "RowField", "same_values"]

Shape = tuple[int | None, ...]


def same_values(first: Any, second: Any) -> bool:
    """Return whether two values of a batch are equal; nan equals nan."""
    import torch

    if not (isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)):
        return type(first) is type(second) and _same_plain(first, second)
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if torch.equal(first, second):
        return True
    return bool(((first == second) | ((first != first) & (second != second))).all())


def _same_plain(first: Any, second: Any) -> bool:
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(
            same_values(first[k], second[k]) for k in first
        )
    if isinstance(first, list | tuple):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same_values(a, b) for a, b in pairs)
    try:
        return bool(first == second)
    except (TypeError, ValueError, RuntimeError):
        return False


@dataclass(frozen=True)
class RowField:
    """One field of a batch, as a row alone holds it.

    Attributes:
        shape: of one row; None is the dimension that is padded.
        pad: the value that fills it up; None for a field that is not padded.
    """

    name: str
    dtype: torch.dtype
    shape: Shape
    pad: float | int | bool | None = None

    @property
    def padded(self) -> int | None:
        """Return the padded dimension of a row, None for a fixed field."""
        return self.shape.index(None) if None in self.shape else None

    def fits(self, row: Tensor) -> bool:
        """Return whether a row has this type and shape."""
        return (
            row.dtype == self.dtype
            and row.dim() == len(self.shape)
            and all(b is None or a == b for a, b in zip(row.shape, self.shape, strict=True))
        )


@dataclass(frozen=True)
class PaddingRules:
    """What a collator does, learned from probes and verified on them.

    Attributes:
        fields: the fields that hold one entry for each row.
        left: whether padding comes before the row.
        multiple: a batch is as long as its longest row, rounded up to a multiple of this.
        length_key: the key of an item whose `len` is the row's length; None: collate it alone.
        constants: what a batch holds beside, the same in each.
    """

    fields: tuple[RowField, ...]
    left: bool = False
    multiple: int = 1
    length_key: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pads(self) -> dict[str, float | int | bool]:
        """Return padded field -> value that fills it up."""
        return {each.name: each.pad for each in self.fields if each.pad is not None}

    @property
    def ragged(self) -> bool:
        """Return whether any field is padded."""
        return any(each.padded is not None for each in self.fields)

    def specs(self) -> list[tuple[str, torch.dtype, Shape]]:
        """Return (name, type, shape of one row with None where it is padded)."""
        return [(each.name, each.dtype, each.shape) for each in self.fields]

    def batch_length(self, lengths: Sequence[int]) -> int:
        """Return how long a batch of rows of these lengths is."""
        return -(-max(map(int, lengths)) // self.multiple) * self.multiple

    def split(
        self, batch: Mapping[str, Any], lengths: Sequence[int] | None
    ) -> dict[str, list[Tensor]]:
        """Cut a batch into rows without padding.

        Args:
            batch: as the collator made it.
            lengths: of its rows; None when nothing is padded.

        Raises:
            DataError: when a row does not have the shape that the probes had.
        """
        found = {}
        for each in self.fields:
            if each.name not in batch:
                raise self._other_shape(f"a batch without {each.name}", each)
            tensor = batch[each.name]
            if tensor.dim() == 0 or not each.fits(tensor[0]):
                row = tuple(tensor.shape[1:])
                raise self._other_shape(f"rows of {row} ({tensor.dtype}) in {each.name}", each)
            found[each.name] = self._rows(each, tensor, lengths)
        return found

    def _rows(self, each: RowField, tensor: Tensor, lengths: Sequence[int] | None) -> list[Tensor]:
        import torch

        if each.padded is None or each.pad is None:
            return list(tensor.unbind())
        if lengths is None or len(lengths) != len(tensor):
            raise ValueError(f"{each.name} is padded: one length for each of {len(tensor)} rows")
        whole = tensor.shape[each.padded + 1]
        if whole != self.batch_length(lengths):
            raise self._other_shape(f"a batch of length {whole} in {each.name}", each)
        rows = []
        for row, length in zip(tensor.unbind(), map(int, lengths), strict=True):
            kept, rest = (whole - length, 0) if self.left else (0, length)
            filled = row.narrow(each.padded, rest, whole - length)
            if bool(torch.ne(filled, each.pad).any()):
                raise self._other_shape(f"a row of {each.name} that goes on after {length}", each)
            rows.append(row.narrow(each.padded, kept, length))
        return rows

    def _other_shape(self, arrived: str, each: RowField) -> DataError:
        shape = "x".join("any" if size is None else str(size) for size in each.shape) or "a number"
        return DataError(
            arrived=f"{arrived}; the rows looked at before all had {shape} ({each.dtype})",
            expected="rows of one shape, or rows whose length shows in a sample of the data",
            action="pad or cut all rows in the same way, or train without the prefix cache",
        )

    def join(self, rows: Mapping[str, Sequence[Tensor]]) -> dict[str, Any]:
        """Make rows without padding into the batch that the collator would make of them."""
        import torch

        batch: dict[str, Any] = {}
        for each in self.fields:
            entries = rows[each.name]
            if each.padded is None or each.pad is None:
                batch[each.name] = torch.stack(list(entries))
                continue
            whole = self.batch_length([row.shape[each.padded] for row in entries])
            sizes = [whole if size is None else size for size in each.shape]
            batch[each.name] = torch.full((len(entries), *sizes), each.pad, dtype=each.dtype)
            for into, row in zip(batch[each.name], entries, strict=True):
                length = row.shape[each.padded]
                into.narrow(each.padded, whole - length if self.left else 0, length).copy_(row)
        return {**batch, **self.constants}
