"""Which chunks of an entry are written: one line each, in one file for each process."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["append", "chunks_in", "read"]

Checksums = dict[str, int]
_PATTERN = "journal.*"


def append(folder: Path, chunk: int, checksums: Mapping[str, int]) -> None:
    """Note that a chunk is on the disk.

    Args:
        folder: the entry.
        chunk: its number.
        checksums: array -> CRC-32 of the chunk's bytes.
    """
    line = json.dumps({"chunk": chunk, "crc": dict(checksums)})
    path = folder / f"journal.{int(os.environ.get('RANK', '0'))}"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        # The line before may have been cut short by the end of its process. One that a loss of
        # power takes away costs its chunk, no more: this does not wait for the disk.
        os.write(handle, f"\n{line}\n".encode())
    finally:
        os.close(handle)


def read(folder: Path, arrays: set[str], chunks: int) -> dict[int, list[Checksums]]:
    """Return chunk -> the checksums noted for it, one for each time it was written.

    Lines that are cut short, or of another entry, say nothing.
    """
    found: dict[int, list[Checksums]] = {}
    for path in sorted(folder.glob(_PATTERN)):
        for line in path.read_bytes().splitlines():
            noted = _parse(line)
            if noted is None:
                continue
            chunk, checksums = noted
            if 0 <= chunk < chunks and checksums.keys() == arrays:
                found.setdefault(chunk, []).append(checksums)
    return found


def chunks_in(folder: Path) -> set[int]:
    """Return the numbers of all chunks that are noted."""
    lines = (line for path in folder.glob(_PATTERN) for line in path.read_bytes().splitlines())
    return {noted[0] for noted in map(_parse, lines) if noted is not None}


def _parse(line: bytes) -> tuple[int, Checksums] | None:
    try:
        content: Any = json.loads(line)
        chunk, checksums = content["chunk"], content["crc"]
        numbers = [chunk, *checksums.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (chunk, checksums) if all(type(each) is int for each in numbers) else None
