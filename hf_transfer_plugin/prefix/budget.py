"""How much disk the cache may take."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from hf_transfer_plugin.errors import CacheSpaceError, ConfigError
from hf_transfer_plugin.prefix.cache_folder import entries
from hf_transfer_plugin.prefix.disk_errors import FREE_SPACE, size_text

__all__ = ["DEFAULT_LIMIT", "Budget"]

DEFAULT_LIMIT = 50 * 10**9
_SPARE = 2**30  # left on the disk for everything else
_UNITS = {"B": 1} | {
    f"{letter}{kind}": base ** (power + 1)
    for power, letter in enumerate("KMGT")
    for kind, base in (("B", 1000), ("iB", 1024))
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([KMGT]i?B|B)", re.ASCII)


@dataclass(frozen=True)
class Budget:
    """A limit for all entries of a cache together.

    Args:
        limit: in bytes; None means as much as the disk gives.
    """

    limit: int | None = DEFAULT_LIMIT

    @classmethod
    def of(cls, size: str | int | None) -> Budget:
        """Read a limit as people write it.

        Args:
            size: such as "20GB", "1.5 TB" or "512MiB", or a number of bytes; None is 50 GB.

        Raises:
            ConfigError: for anything else.

        Examples:
            >>> Budget.of("20GB").limit, Budget.of("1.5 KiB").limit
            (20000000000, 1536)
        """
        if size is None:
            return cls()
        limit = _bytes(size)
        if limit is None or limit < 1:
            raise ConfigError(
                arrived=f"a cache of size {size!r}",
                expected="a size such as '20GB', '512MiB' or '1.5 TB', or a number of bytes from 1",
                action="give the size with one of the units B, " + ", ".join(list(_UNITS)[1:]),
            )
        return cls(limit)

    def check(self, root: Path, needed: int) -> None:
        """See to it that an entry of that size has its place.

        Args:
            root: the folder of the cache.
            needed: bytes that are not on the disk yet.

        Raises:
            CacheSpaceError: when the limit or the disk is too small.
        """
        if needed <= 0:
            return
        used = sum(each.bytes for each in entries(root))
        free = shutil.disk_usage(_existing(root)).free
        told = f"needed {size_text(needed)}, used {size_text(used)}, free {size_text(free)}"
        if self.limit is not None and used + needed > self.limit:
            raise CacheSpaceError(
                arrived=f"the cache {root} would pass its limit {size_text(self.limit)}: {told}",
                expected="entries that stay within the limit together",
                action=f"{FREE_SPACE}; or raise the limit",
            )
        if free < needed + _SPARE:
            raise CacheSpaceError(
                arrived=f"the disk of {root} has no room for the cache: {told}",
                expected=f"what is needed, and {size_text(_SPARE)} to spare",
                action=FREE_SPACE,
            )


def _bytes(size: str | int) -> int | None:
    if isinstance(size, int):
        return None if isinstance(size, bool) else size
    read = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    return int(float(read[1]) * _UNITS[read[2]]) if read else None


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
