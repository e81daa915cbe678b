"""Where each row of an entry lies: longest first, in chunks, at offsets told by the lengths."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hf_transfer_plugin.prefix.entry import CHUNK_ROWS, ArraySpec

__all__ = ["Layout"]

Numbers = npt.NDArray[np.int64]


class Layout:
    """The order of rows in the files of an entry.

    Args:
        arrays: the arrays.
        rows: how many.
        lengths: of each row, [rows]; None when no array is ragged.

    Attributes:
        order: position in the file -> row, [rows].
        lengths: of each row, [rows]; zeros when they have none.
        digest: of the lengths; empty when they have none.
    """

    def __init__(
        self, arrays: Sequence[ArraySpec], rows: int, lengths: npt.NDArray[np.integer] | None
    ) -> None:
        names = [each.name for each in arrays]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"arrays called {names}: one or more are needed, each name once")
        if lengths is None:
            if any(each.ragged for each in arrays):
                raise ValueError("an array is as long as its row, and no lengths are given")
            self.lengths = np.zeros(rows, dtype=np.int64)
            self.digest = ""
        else:
            self.lengths = _checked(lengths, rows)
            self.digest = hashlib.sha256(self.lengths.astype("<i8").tobytes()).hexdigest()
        self.rows = rows
        self.order: Numbers = np.argsort(-self.lengths, kind="stable")
        self._position = np.empty(rows, dtype=np.int64)
        self._position[self.order] = np.arange(rows)
        in_order = self.lengths[self.order]
        self._starts = {
            each.name: np.concatenate(([0], np.cumsum(in_order**each.ragged * each.unit)))
            for each in arrays
        }

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.rows // CHUNK_ROWS)

    def positions(self, rows: Numbers) -> Numbers:
        """Return where these rows stand in the file order."""
        if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < self.rows:
            raise IndexError(f"rows {rows.min()} to {rows.max()} of an entry of {self.rows}")
        return self._position[rows]

    def starts(self, array: str) -> Numbers:
        """Return the offset in bytes of each position of an array, and of its end, [rows + 1]."""
        return self._starts[array]

    def size(self, array: str) -> int:
        """Return the bytes of the data file of an array."""
        return int(self._starts[array][-1])

    def chunk_rows(self, chunk: int) -> Numbers:
        """Return the rows of a chunk in file order."""
        if not 0 <= chunk < self.chunks:
            raise IndexError(f"chunk {chunk} of {self.chunks}")
        return self.order[chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS]

    def chunk_span(self, array: str, chunk: int) -> tuple[int, int]:
        """Return the first byte of a chunk of an array, and the one after its last."""
        first = chunk * CHUNK_ROWS
        starts = self._starts[array]
        return int(starts[first]), int(starts[min(first + CHUNK_ROWS, self.rows)])


def _checked(lengths: npt.NDArray[np.integer], rows: int) -> Numbers:
    given = np.asarray(lengths)
    if given.shape != (rows,) or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"lengths of shape {given.shape} and type {given.dtype} for {rows} rows")
    if rows and int(given.min()) < 0:
        raise ValueError(f"a row of length {given.min()}")
    return given.astype(np.int64)
