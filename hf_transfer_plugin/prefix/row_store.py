"""Rows of arrays on disk: ragged, checksummed, filled by many processes, resumed after a kill."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.disk_errors import disk_error
from hf_transfer_plugin.prefix.entry import (
    CHUNK_ROWS,
    FORMAT,
    ArraySpec,
    EntryMeta,
    entry_name,
)
from hf_transfer_plugin.prefix.entry_files import EntryFiles
from hf_transfer_plugin.prefix.gathering import chunk_parts, gather
from hf_transfer_plugin.prefix.layout import Layout
from hf_transfer_plugin.redaction import redact

__all__ = ["CHUNK_ROWS", "ArraySpec", "RowStore"]


class RowStore:
    """One entry of the cache: arrays of rows, written by chunk, read by row.

    Rows lie in the files by length, longest first, so that a chunk holds rows of about one length
    and can be computed with little padding. Made by `RowStore.open`.

    Attributes:
        path: its folder.
        specs: its arrays.
        rows: how many it holds when it is complete.
        order: position in the files -> row, [rows].
        bytes: size of all data files.
    """

    def __init__(self, path: Path, meta: EntryMeta, layout: Layout, budget: Budget) -> None:
        self.path = path
        self.specs = meta.arrays
        self.rows = meta.rows
        self.order = layout.order
        self.bytes = meta.bytes
        self._layout = layout
        self._files = EntryFiles(path, meta, layout, budget)

    @classmethod
    def open(
        cls,
        folder: Path,
        key: Mapping[str, str],
        specs: Sequence[ArraySpec],
        rows: int,
        lengths: npt.NDArray[np.integer] | None,
        *,
        budget: Budget,
        note: Mapping[str, Any] | None = None,
    ) -> RowStore:
        """Open the entry of a key; make it, with its full size on the disk, when it is new.

        Every chunk that was written is compared with its checksum; damaged ones are missing again.

        Args:
            folder: of the cache.
            key: all that the content depends on, beside the next three, as readable texts.
            specs: the arrays.
            rows: how many.
            lengths: of each row, [rows]; None when no array is ragged.
            budget: what the cache may take.
            note: what `hf-tl cache` shows of the entry.

        Raises:
            CacheSpaceError: when there is no room; an entry that was begun is removed.
            RecordError: when the folder cannot be read or written.
        """
        layout = Layout(specs, rows, lengths)
        meta = EntryMeta(
            format=FORMAT,
            key={name: redact(str(value)) for name, value in key.items()},
            note={name: redact(str(value)) for name, value in (note or {}).items()},
            arrays=tuple(specs),
            rows=rows,
            lengths=layout.digest,
            bytes=sum(layout.size(each.name) for each in specs),
        )
        return cls(Path(folder) / entry_name(key, specs, rows, layout.digest), meta, layout, budget)

    @staticmethod
    def is_known(
        folder: Path,
        key: Mapping[str, str],
        specs: Sequence[ArraySpec],
        rows: int,
        lengths: npt.NDArray[np.integer] | None,
    ) -> bool:
        """Tell whether the entry that `open` would open is on the disk, complete or not."""
        name = entry_name(key, specs, rows, Layout(specs, rows, lengths).digest)
        return (Path(folder) / name).is_dir()

    @property
    def chunks(self) -> int:
        """How many chunks the rows make."""
        return len(self._files.there)

    def reopen(self) -> None:
        """Open the files anew: another run may have deleted and made them."""
        self._files.take()

    @property
    def is_complete(self) -> bool:
        """Tell whether every chunk is there."""
        return bool(self._files.there.all())

    def missing(self) -> list[int]:
        """Return the numbers of the chunks that are not there."""
        return [int(chunk) for chunk in np.flatnonzero(~self._files.there)]

    def chunk_rows(self, chunk: int) -> npt.NDArray[np.int64]:
        """Return the rows of a chunk in file order."""
        return self._layout.chunk_rows(chunk)

    def reload(self) -> None:
        """See what other processes have written since; each chunk is compared with its checksum."""
        self._files.compare()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from filling this entry; free when the process ends, however it ends.

        Waits for a run that fills it now, and knows afterwards what that one wrote.
        """
        with self._files.locked():
            yield

    def write(
        self, chunk: int, tensors: Mapping[str, torch.Tensor | Sequence[torch.Tensor]]
    ) -> None:
        """Write all rows of a chunk; when this returns they are on the disk.

        Args:
            chunk: its number.
            tensors: for each array one tensor per row, in the order of `chunk_rows`, each of the
                shape of that row; or all rows stacked, when the array is not ragged.

        Raises:
            CacheSpaceError: when the disk is full.
            RecordError: when it cannot be written otherwise.
        """
        if tensors.keys() != self._files.arrays.keys():
            raise ValueError(
                f"arrays {sorted(tensors)} for an entry of {sorted(self._files.arrays)}"
            )
        self._files.there[chunk] = False
        try:
            checksums = {each.name: self._write(chunk, each, tensors) for each in self.specs}
            self._files.note(chunk, checksums)
        except OSError as error:
            raise disk_error(self.path, error, self.bytes) from None

    def _write(
        self,
        chunk: int,
        array: ArraySpec,
        tensors: Mapping[str, torch.Tensor | Sequence[torch.Tensor]],
    ) -> int:
        lengths = self._layout.lengths[self.chunk_rows(chunk)].tolist()
        place, end = self._layout.chunk_span(array.name, chunk)
        file, checksum = self._files.arrays[array.name], 0
        for part in chunk_parts(array, lengths, tensors[array.name]):
            file.write(part, place)
            checksum = zlib.crc32(part, checksum)
            place += len(part)
        assert place == end, (array, chunk)
        return checksum

    def read(
        self,
        rows: npt.NDArray[np.integer],
        length: int | None = None,
        pad: Mapping[str, float] | None = None,
        left: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Gather rows into one padded tensor for each array, [len(rows), *shape of a row].

        Args:
            rows: which, in the wanted order.
            length: what every ragged dimension becomes; without it, the longest of these rows.
            pad: array -> what stands in the cells outside a row; 0 where not said.
            left: rows sit at the end of each ragged dimension instead of at its start.

        Raises:
            RecordError: when the files cannot be read.
            ValueError: for a row that is not written yet, or longer than `length`.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        positions = self._layout.positions(wanted)
        if not self._files.there[positions // CHUNK_ROWS].all():
            raise ValueError("a row that is not in the cache yet")
        lengths = self._layout.lengths[wanted]
        longest = int(lengths.max(initial=0))
        if length is None:
            length = longest
        elif length < longest:
            raise ValueError(f"a row of length {longest} in a batch of length {length}")
        fill = pad or {}
        if not fill.keys() <= self._files.arrays.keys():
            raise ValueError(
                f"padding of {sorted(fill)} in an entry of {sorted(self._files.arrays)}"
            )
        sizes = lengths.tolist()
        try:
            return {
                each.name: gather(
                    self._files.arrays[each.name],
                    each,
                    self._layout.starts(each.name)[positions].tolist(),
                    sizes,
                    length,
                    fill.get(each.name, 0.0),
                    left,
                )
                for each in self.specs
            }
        except OSError as error:
            raise disk_error(self.path, error) from None
