"""The files of one entry: made at full size, compared with their checksums, locked while filled."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.prefix import journal
from hf_transfer_plugin.prefix.array_file import ArrayFile
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import folder_lock, remove_files
from hf_transfer_plugin.prefix.disk_errors import disk_error
from hf_transfer_plugin.prefix.entry import (
    LENGTHS,
    LOCK,
    USED,
    EntryMeta,
    data_name,
    meta_or_none,
)
from hf_transfer_plugin.prefix.layout import Layout
from hf_transfer_plugin.serialization import write_atomic

__all__ = ["EntryFiles"]

logger = logging.getLogger(__name__)


class EntryFiles:
    """Makes the files of an entry, or takes those that are there.

    Args:
        path: the folder of the entry.
        meta: what it holds.
        layout: where each row lies.
        budget: what the cache may take.

    Attributes:
        arrays: array -> its file.
        there: whether each chunk is written and whole, [chunks].
    """

    def __init__(self, path: Path, meta: EntryMeta, layout: Layout, budget: Budget) -> None:
        self.path = path
        self._meta = meta
        self._layout = layout
        self._budget = budget
        self.take()

    def take(self) -> None:
        """Open the files that are there, or make them; compare what is written."""
        self.arrays = {
            each.name: ArrayFile(self.path / data_name(each), self._layout.size(each.name))
            for each in self._meta.arrays
        }
        self.there = np.zeros(self._layout.chunks, dtype=bool)
        self._compared: dict[int, int] = {}
        if not self._has_all():
            with folder_lock(self.path.parent):
                self._make()
        with suppress(OSError):  # the cache may be one that this user can only read
            (self.path / USED).touch()
        self.compare()

    def _has_all(self) -> bool:
        files = self.arrays.values()
        return not any(file.lacks() for file in files) and meta_or_none(self.path) is not None

    def _make(self) -> None:
        needed = sum(file.lacks() for file in self.arrays.values())
        self._budget.check(self.path.parent, needed)
        new = not self.path.exists()
        try:
            self.path.mkdir(exist_ok=True)
            for file in self.arrays.values():
                if file.lacks():
                    file.allocate()
            if self._layout.digest:
                packed = io.BytesIO()
                np.save(packed, self._layout.lengths)
                write_atomic(self.path / LENGTHS, packed.getvalue())
            self._meta.save(self.path / EntryMeta.file_name)
        except (OSError, RecordError) as error:
            if new:
                remove_files(self.path)
            # A record that cannot be written hides what the system said.
            told = error if isinstance(error, OSError) else error.__context__
            if not isinstance(told, OSError):
                raise
            raise disk_error(self.path, told, needed) from None

    def compare(self) -> None:
        """Read all journals; compare each chunk that was written since with its checksum."""
        damaged = 0
        try:
            noted = journal.read(self.path, set(self.arrays), self._layout.chunks)
        except OSError as error:
            raise disk_error(self.path, error) from None
        for chunk, written in sorted(noted.items()):
            # Written once more than when it was compared last: it may be whole now.
            if self.there[chunk] or self._compared.get(chunk) == len(written):
                continue
            self._compared[chunk] = len(written)
            self.there[chunk] = self._checksums(chunk) in written
            damaged += not self.there[chunk]
        if damaged:
            logger.warning(
                "cache entry %s: %d of %d chunks are damaged and will be computed again",
                self.path.name,
                damaged,
                self._layout.chunks,
            )

    def _checksums(self, chunk: int) -> dict[str, int]:
        try:
            return {
                name: file.checksum(*self._layout.chunk_span(name, chunk))
                for name, file in self.arrays.items()
            }
        except OSError as error:
            raise disk_error(self.path, error) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the entry; wait for another process that holds it."""
        lock = FileLock(self.path / LOCK)
        waited = False
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                waited = True
                logger.warning("another process fills cache entry %s; waiting", self.path.name)
                lock.acquire()
        except OSError as error:
            raise disk_error(self.path, error) from None
        try:
            # While this process waited, the entry may have been deleted, or made anew.
            if waited or not self._has_all():
                self.take()
            else:
                self.compare()
            yield
        finally:
            lock.release()

    def note(self, chunk: int, checksums: Mapping[str, int]) -> None:
        """Say that a chunk is written, once its bytes are on the disk."""
        for file in self.arrays.values():
            file.sync()
        journal.append(self.path, chunk, checksums)
        self.there[chunk] = True
