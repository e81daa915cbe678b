"""Disks that are full, broken or not for this user, and a cache at its limit: an error, no ruin."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_transfer_plugin.errors import CacheSpaceError, RecordError
from hf_transfer_plugin.prefix import array_file
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import delete, entries
from tests.prefix.filling import (
    CHUNKS,
    SPECS,
    assert_right,
    fill,
    filled,
    open_store,
)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 1 MB; the look at the free room before is told that there is plenty."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_when_an_entry_is_made(small_disk: Path) -> None:
    with pytest.raises(CacheSpaceError, match="the disk is full") as caught:
        open_store(small_disk)
    assert "hf-tl cache --delete" in caught.value.action and "needs" in caught.value.arrived
    assert [each.name for each in small_disk.iterdir()] == ["lock"]
    assert os.statvfs(small_disk).f_bavail > 200  # pages: all is free again


def test_a_disk_that_fills_while_chunks_are_written(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    store = open_store(small_disk)  # files with holes, as on a disk that cannot allocate
    with pytest.raises(CacheSpaceError, match="the disk is full"):
        fill(store)
    there = assert_right(store)
    assert 0 < there < CHUNKS and assert_right(open_store(small_disk)) == there


def test_refused_allocation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the small disk, for those who cannot mount one: the second file finds no room."""
    real, calls = os.posix_fallocate, []

    def refuse(handle: int, start: int, size: int) -> None:
        calls.append(size)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle, start, size)

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(CacheSpaceError, match="the disk is full"):
        open_store(tmp_path)
    assert len(calls) == 2 and entries(tmp_path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]
    filled(tmp_path)


def test_a_broken_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    store = open_store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(array_file, "_sync", fail)
        with pytest.raises(RecordError, match="Input/output error"):
            fill(store)
    assert open_store(tmp_path).missing() == store.missing() == list(range(CHUNKS))


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="the cache cannot use") as caught:
        open_store(tmp_path / "file" / "cache")
    assert "HF_TL_CACHE" in caught.value.action


def test_the_budget_counts_what_is_not_there_yet(tmp_path: Path) -> None:
    size = filled(tmp_path).bytes
    budget = Budget(size + 50_000)
    assert open_store(tmp_path, budget=budget).is_complete
    with pytest.raises(CacheSpaceError, match="would pass its limit"):
        open_store(tmp_path, specs=SPECS[:2], budget=budget)
    assert len(entries(tmp_path)) == 1
    delete(tmp_path)
    open_store(tmp_path, specs=SPECS[:2], budget=budget)
