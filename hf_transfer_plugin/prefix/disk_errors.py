"""What the disk refuses, as errors that say what to do; sizes as text."""

from __future__ import annotations

import errno
from pathlib import Path

from hf_transfer_plugin.errors import CacheSpaceError, RecordError, TransferError

__all__ = ["FREE_SPACE", "disk_error", "size_text"]

FREE_SPACE = (
    "see what is kept with `hf-tl cache`, free some with `hf-tl cache --delete NAME`, "
    "or name another folder with HF_TL_CACHE=..."
)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def size_text(size: float) -> str:
    """Return a number of bytes as people read it.

    Examples:
        >>> size_text(0), size_text(1536), size_text(2_000_000_000)
        ('0 B', '1.5 KB', '2.0 GB')
    """
    for unit in ("B", "KB", "MB", "GB"):
        if size < 999.95:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def disk_error(path: Path, error: OSError, needed: int = 0) -> TransferError:
    """Return the error for something of the cache that the system refused.

    Args:
        path: the file or folder.
        error: what the system said.
        needed: bytes that the entry takes, where known.
    """
    said = error.strerror or str(error)
    if error.errno in _FULL:
        wanted = f", which needs {size_text(needed)}" if needed else ""
        return CacheSpaceError(
            arrived=f"the disk is full at {path}{wanted}: {said}",
            expected="room on the disk of the cache",
            action=FREE_SPACE,
        )
    return RecordError(
        arrived=f"the cache cannot use {path}: {said}",
        expected="a folder on a working disk that this user may read and write",
        action="name another folder with HF_TL_CACHE=..., or mend its permissions",
    )
