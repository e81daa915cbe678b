"""The folder of the cache: where it is, what the listing tells, what deletion spares; its limit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_transfer_plugin.errors import CacheSpaceError, ConfigError, RecordError
from hf_transfer_plugin.prefix.budget import DEFAULT_LIMIT, Budget
from hf_transfer_plugin.prefix.cache_folder import default_folder, delete, entries
from tests.prefix.filling import CHUNKS, ROWS, SPECS, fill, filled, open_store

SIZES: dict[str | int, int] = {
    "20GB": 20 * 10**9,
    "20 GB": 20 * 10**9,
    "1.5KiB": 1536,
    "512MiB": 512 * 2**20,
    "3TB": 3 * 10**12,
    "1TiB": 2**40,
    "7B": 7,
    12345: 12345,
}
NO_SIZES = ("", "GB", "20", "20 gb", "20GBs", "-1GB", "1e3MB", "20  GB", "0GB", "٣GB", 0, -5, True)


def test_the_tables() -> None:
    assert len(SIZES) == 8 and len(NO_SIZES) == 13


@pytest.mark.parametrize("size", SIZES)
def test_sizes(size: str | int) -> None:
    assert Budget.of(size).limit == SIZES[size]


@pytest.mark.parametrize("size", NO_SIZES)
def test_no_sizes(size: str | int) -> None:
    with pytest.raises(ConfigError, match="a cache of size") as caught:
        Budget.of(size)
    assert repr(size) in caught.value.arrived and "'20GB'" in caught.value.expected


def test_the_limit_without_one() -> None:
    assert Budget.of(None) == Budget() == Budget(DEFAULT_LIMIT) and DEFAULT_LIMIT == 50 * 10**9


def test_the_message_says_what_is_needed_used_and_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4 * 10**9))
    used = sum(file.stat().st_size for file in filled(tmp_path).path.iterdir())
    assert used == entries(tmp_path)[0].bytes > 10**6
    Budget(used + 1000).check(tmp_path, 1000)
    Budget(1).check(tmp_path, 0)
    with pytest.raises(CacheSpaceError) as caught:
        Budget(used + 999).check(tmp_path, 1000)
    text = str(caught.value)
    for part in ("limit 2.", "needed 1.0 KB", "used 2.", "free 4.0 GB", "`hf-tl cache`"):
        assert part in text, part
    assert "`hf-tl cache --delete NAME`" in text and text.count("\n") == 2
    Budget(None).check(tmp_path, 4 * 10**9 - 2**30)
    with pytest.raises(CacheSpaceError, match="has no room"):
        Budget(None).check(tmp_path / "not" / "there", 4 * 10**9 - 2**30 + 1)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "given"))
    assert default_folder() == tmp_path / "given"
    code = (
        "import sys; from hf_transfer_plugin.prefix.cache_folder import default_folder\n"
        "print(default_folder(), [n for n in ('torch', 'numpy', 'datasets') if n in sys.modules])"
    )
    asked = dict(os.environ, HF_HOME=str(tmp_path / "home"))
    del asked["HF_TL_CACHE"]
    done = subprocess.run(
        [sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{tmp_path}/home/hf_transfer_plugin/prefix []"


def test_the_listing(tmp_path: Path) -> None:
    assert entries(tmp_path / "nothing") == []
    whole = filled(tmp_path)
    half = open_store(tmp_path, specs=SPECS[:1], note={"model": "a\x1b[31mb", "data": "train"})
    fill(half, [0, 3, 3])
    old = time.time() - 5 * 24 * 60 * 60
    os.utime(whole.path / "used", (old, old))
    first, second = entries(tmp_path)
    assert (first.name, second.name) == (half.path.name, whole.path.name)
    assert first.filled == 2 / CHUNKS and second.filled == 1.0
    assert first.rows == second.rows == ROWS and second.bytes > whole.bytes > first.bytes
    assert first.note == "a [31mb, train" and abs(second.used - old) < 1
    assert [each.name for each in entries(tmp_path, 4)] == [whole.path.name]
    open_store(tmp_path)
    assert entries(tmp_path, 4) == []


def test_damaged_and_foreign_folders(tmp_path: Path) -> None:
    good = open_store(tmp_path).path
    torn = shutil.copytree(good, tmp_path / ("a" * 20))
    (torn / "meta.json").write_bytes(b'{"rows": \xff')
    later = shutil.copytree(good, tmp_path / ("b" * 20))
    text = (good / "meta.json").read_text()
    (later / "meta.json").write_text(text.replace('"format"', '"version"'))
    (shutil.copytree(good, tmp_path / ("c" * 20)) / "meta.json").unlink()
    (tmp_path / ("d" * 20)).mkdir()
    foreign = tmp_path / ("e" * 20)
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years")
    (tmp_path / ("f" * 20)).symlink_to(foreign)
    (tmp_path / ("0" * 20)).write_text("a file")
    shutil.copytree(good, tmp_path / "Documents")
    found = {each.name: each for each in entries(tmp_path)}
    assert sorted(found) == sorted([good.name, *(letter * 20 for letter in "abcd")])
    for letter in "abcd":
        assert found[letter * 20].rows is None and "damaged" in found[letter * 20].note
    assert len(delete(tmp_path).names) == 5
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {"lock", "Documents", "e" * 20, "f" * 20, "0" * 20}
    assert (foreign / "thesis.tex").exists() and (tmp_path / "Documents" / "meta.json").exists()


def test_deletion_keeps_files_of_others(tmp_path: Path) -> None:
    path = open_store(tmp_path).path
    (path / "notes.txt").write_text("mine")
    delete(tmp_path)
    assert [each.name for each in path.iterdir()] == ["notes.txt"] and entries(tmp_path) == []


def test_deletion_by_name_and_age(tmp_path: Path) -> None:
    stores = [open_store(tmp_path, rows=5, lengths=None, specs=[each]) for each in SPECS[2:]]
    stores += [open_store(tmp_path), open_store(tmp_path, specs=SPECS[:2])]
    names = [each.path.name for each in stores]
    with pytest.raises(RecordError, match=f"did you mean '{names[0]}'"):
        delete(tmp_path, [names[1], names[0][:-1]])
    assert len(entries(tmp_path)) == 3
    old = time.time() - 90_000
    os.utime(stores[0].path / "used", (old, old))
    assert delete(tmp_path, older_than_days=2).names == ()
    assert delete(tmp_path, names[1:], older_than_days=1).names == ()
    size = {each.name: each.bytes for each in entries(tmp_path)}
    done = delete(tmp_path, older_than_days=1)
    assert done.names == (names[0],) and done.bytes == size[names[0]]
    assert delete(tmp_path, [names[2], names[2]]).names == (names[2],)
    assert [each.name for each in entries(tmp_path)] == [names[1]]


def test_what_is_filled_is_kept_and_the_rest_goes(tmp_path: Path) -> None:
    busy, free = open_store(tmp_path), open_store(tmp_path, specs=SPECS[:1])
    with busy.locked():
        with pytest.raises(RecordError, match="deleted 1 others") as caught:
            delete(tmp_path)
        assert busy.path.name in caught.value.arrived
        assert free.path.name not in caught.value.arrived
        assert [each.name for each in entries(tmp_path)] == [busy.path.name]
        fill(busy)
    assert open_store(tmp_path).is_complete
