"""The data file of one array: plain bytes, read and written at places."""

from __future__ import annotations

import errno
import os
import weakref
import zlib
from pathlib import Path
from typing import Any

__all__ = ["ArrayFile"]

_PIECE = 4 * 2**20
# Not every system has these two; the plain calls do the same, later or slower.
_allocate = getattr(os, "posix_fallocate", None)
_sync = getattr(os, "fdatasync", os.fsync)


class ArrayFile:
    """Opens its file when it is first used, also after it travelled to another process.

    Reads are system calls and no memory map: a file that was cut short, or a broken disk, is then
    an error and not the end of the process, and what was read does not count as its memory.

    Args:
        path: the file.
        size: of the whole file, in bytes.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._reader: int | None = None
        self._writer: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "size": self.size, "_reader": None, "_writer": None}

    def lacks(self) -> int:
        """Return how many bytes of the file are not on the disk yet."""
        try:
            return max(0, self.size - self.path.stat().st_size)
        except OSError:
            return self.size  # whoever makes the file will be told why it cannot be seen

    def allocate(self) -> None:
        """Make the file as large as it will be, with its place on the disk.

        Raises:
            OSError: also when the disk has no room.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if _allocate is not None and self.size:
                try:
                    os.posix_fallocate(handle, 0, self.size)
                except OSError as error:
                    if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                        raise
            os.ftruncate(handle, self.size)
        finally:
            os.close(handle)

    def read_into(self, target: memoryview, start: int) -> None:
        """Fill the target with the bytes from `start` on."""
        if self._reader is None:
            self._reader = self._open(os.O_RDONLY)
        if os.preadv(self._reader, [target], start) != len(target):
            self._read_rest(target, start)

    def _read_rest(self, target: memoryview, start: int) -> None:
        # A signal or a limit of the system may have cut the first call short.
        assert self._reader is not None
        done = 0
        while done < len(target):
            got = os.preadv(self._reader, [target[done:]], start + done)
            if not got:
                raise OSError(errno.EIO, "the file was cut short")
            done += got

    def write(self, content: memoryview, start: int) -> None:
        """Write the content from `start` on."""
        if self._writer is None:
            self._writer = self._open(os.O_WRONLY)
        while content:
            done = os.pwrite(self._writer, content, start)
            content, start = content[done:], start + done

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        if self._writer is not None:
            _sync(self._writer)

    def checksum(self, start: int, end: int) -> int:
        """Return the CRC-32 of a stretch, with constant memory."""
        piece = memoryview(bytearray(min(_PIECE, max(0, end - start))))
        value = 0
        while start < end:
            part = piece[: end - start]
            self.read_into(part, start)
            value = zlib.crc32(part, value)
            start += len(part)
        return value

    def _open(self, flags: int) -> int:
        handle = os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, handle)
        return handle
