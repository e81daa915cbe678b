"""The folder of the cache: where it is, which entries it has, and their deletion."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hf_transfer_plugin.errors import RecordError, did_you_mean
from hf_transfer_plugin.prefix import journal
from hf_transfer_plugin.prefix.disk_errors import disk_error, size_text
from hf_transfer_plugin.prefix.entry import (
    LOCK,
    USED,
    EntryMeta,
    is_entry_name,
    is_own_file,
    meta_or_none,
)

__all__ = [
    "Deleted",
    "EntryInfo",
    "default_folder",
    "delete",
    "entries",
    "folder_lock",
    "remove_files",
]

_DAY = 24 * 60 * 60
_GUARD = "lock"


@dataclass(frozen=True)
class EntryInfo:
    """What the listing tells of an entry.

    Args:
        name: of its folder.
        bytes: that its files take.
        rows: how many it will hold; None when its description is damaged or of another version.
        filled: share of its chunks that are written.
        used: when it was last opened, in seconds since 1970.
        note: what it holds, in words.
    """

    name: str
    bytes: int
    rows: int | None
    filled: float
    used: float
    note: str


@dataclass(frozen=True)
class Deleted:
    """What a deletion did.

    Args:
        names: the entries that are gone.
        bytes: that they took.
    """

    names: tuple[str, ...]
    bytes: int


def default_folder() -> Path:
    """Return $HF_TL_CACHE, or else a folder beside the caches of Hugging Face."""
    given = os.environ.get("HF_TL_CACHE")
    if given:
        return Path(given).expanduser()
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "hf_transfer_plugin" / "prefix"


@contextmanager
def folder_lock(root: Path) -> Iterator[None]:
    """Hold what only one process may do at a time: make room, make an entry, delete one.

    Raises:
        RecordError: when the folder cannot be made or written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / _GUARD)
        lock.acquire()
    except OSError as error:
        raise disk_error(root, error) from None
    try:
        yield
    finally:
        lock.release()


def entries(root: Path, older_than_days: float | None = None) -> list[EntryInfo]:
    """Return the entries of a cache, the one used last first.

    Folders of others are left out; a damaged entry is listed, so that it can be deleted.

    Args:
        root: the folder of the cache.
        older_than_days: leaves out what was opened since.

    Raises:
        RecordError: when the folder is there and cannot be read.
    """
    try:
        folders = [each for each in root.iterdir() if is_entry_name(each.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise disk_error(root, error) from None
    found = [_info(each) for each in folders if each.is_dir() and not each.is_symlink()]
    limit = math.inf if older_than_days is None else time.time() - older_than_days * _DAY
    kept = [each for each in found if each and each.used < limit]
    return sorted(kept, key=lambda each: (-each.used, each.name))


def delete(
    root: Path, names: Sequence[str] | None = None, older_than_days: float | None = None
) -> Deleted:
    """Delete entries.

    Args:
        root: the folder of the cache.
        names: of the entries; None means all.
        older_than_days: spares what was opened since.

    Raises:
        RecordError: for a name that is not there (then nothing is deleted), and, after the others
            are gone, for entries that a process is filling.
    """
    present = {each.name: each for each in entries(root)}
    chosen = list(present) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in present:
            raise RecordError(
                arrived=f"no entry {name!r} in {root}{did_you_mean(name, present)}",
                expected="the name of an entry",
                action="see the names with `hf-tl cache`",
            )
    if older_than_days is not None:
        old = {each.name for each in entries(root, older_than_days)}
        chosen = [name for name in chosen if name in old]
    if not chosen:
        return Deleted((), 0)
    with folder_lock(root):
        gone = [name for name in chosen if _delete(root / name)]
    done = Deleted(tuple(gone), sum(present[name].bytes for name in gone))
    if busy := [name for name in chosen if name not in gone]:
        raise RecordError(
            arrived=f"a process is filling {', '.join(busy)}; deleted {len(gone)} others, "
            f"{size_text(done.bytes)}",
            expected="entries that no process is filling",
            action="wait for that run or stop it, then delete again",
        )
    return done


def remove_files(folder: Path) -> None:
    """Remove what this package wrote in an entry; its folder stays when others use it too."""
    for file in folder.iterdir():
        if is_own_file(file.name):
            file.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _delete(folder: Path) -> bool:
    """Delete an entry; False when a process is filling it."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            remove_files(folder)
    except Timeout:
        return False
    except OSError as error:
        raise disk_error(folder, error) from None
    return True


def _info(folder: Path) -> EntryInfo | None:
    """Describe an entry; None when it is deleted at this moment, or a folder of others."""
    meta = meta_or_none(folder)
    try:
        sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
        written = journal.chunks_in(folder)
        used = _first_time((folder / USED).stat, folder.stat)
    except OSError:
        return None
    if sizes and not any(map(is_own_file, sizes)):
        return None
    if meta is None:
        note = "damaged, or of another version"
        return EntryInfo(folder.name, sum(sizes.values()), None, 0.0, used, note)
    done = len({chunk for chunk in written if 0 <= chunk < meta.chunks})
    return EntryInfo(
        name=folder.name,
        bytes=sum(sizes.values()),
        rows=meta.rows,
        filled=done / meta.chunks if meta.chunks else 1.0,
        used=used,
        note=_words(meta),
    )


def _words(meta: EntryMeta) -> str:
    text = ", ".join(meta.note.values())
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _first_time(*stats: Callable[[], os.stat_result]) -> float:
    for each in stats[:-1]:
        try:
            return each().st_mtime
        except FileNotFoundError:
            continue
    return stats[-1]().st_mtime
