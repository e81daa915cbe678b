"""Rows on disk: what is read is what was written, after kills, damage and full disks too."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_transfer_plugin.errors import CacheSpaceError, RecordError
from hf_transfer_plugin.prefix import array_file
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import delete, entries
from hf_transfer_plugin.prefix.row_store import CHUNK_ROWS, ArraySpec, RowStore
from tests.prefix.filling import (
    CHUNKS,
    LENGTHS,
    ROWS,
    SPECS,
    assert_right,
    chunk_of,
    fill,
    filled,
    open_store,
    row,
    start,
    use_server,
)

KILLED = -signal.SIGKILL
DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()
SHAPES: tuple[tuple[int | None, ...], ...] = (
    (),
    (3,),
    (None,),
    (None, 2),
    (2, None),
    (None, None),
    (2, None, None),
    (None, 2, None),
)
CASES = list(itertools.product(DTYPES, SHAPES))


@pytest.fixture(autouse=True, scope="module")
def server() -> None:
    use_server()


def padded(
    array: ArraySpec, given: torch.Tensor, length: int, pad: float, left: bool
) -> torch.Tensor:
    """Pad one row by index arithmetic alone."""
    whole = torch.full(array.row_shape(length), pad, dtype=given.dtype)
    shift = [
        length - given.shape[dim] if left and size is None else 0
        for dim, size in enumerate(array.shape)
    ]
    for place in itertools.product(*map(range, given.shape)):
        whole[tuple(i + by for i, by in zip(place, shift, strict=True))] = given[place]
    return whole


def test_the_table_of_arrays() -> None:
    assert len(CASES) == 80 and -(-ROWS // CHUNK_ROWS) == CHUNKS


@pytest.mark.parametrize(("dtype", "shape"), CASES)
def test_round_trip(dtype: str, shape: tuple[int | None, ...], tmp_path: Path) -> None:
    array = ArraySpec("x", dtype, shape)
    lengths = np.array([3, 0, 5, 1, 4, 4, 2])
    store = open_store(tmp_path, specs=[array], rows=7, lengths=lengths)
    assert store.order.tolist() == [2, 4, 5, 0, 6, 3, 1] and store.missing() == [0]
    written = [row(array, i, int(lengths[i])) for i in range(7)]
    store.write(0, {"x": [written[i] for i in store.chunk_rows(0)]})
    again = open_store(tmp_path, specs=[array], rows=7, lengths=lengths)
    assert again.is_complete and again.bytes == sum(t.nbytes for t in written)
    rows = np.array([6, 1, 2, 0, 2])
    for left, length, pad in ((False, None, 0.0), (True, None, 1.0), (True, 8, 7.0), (False, 6, 1)):
        if dtype == "bool":
            pad = float(bool(pad))
        read = again.read(rows, length, {"x": pad} if pad else {}, left)["x"]
        expected = [padded(array, written[i], length or 5, pad, left) for i in rows]
        assert read.dtype == written[0].dtype and torch.equal(read, torch.stack(expected))
    (alone,) = again.read(np.array([1]))["x"]
    assert torch.equal(alone, written[1])


def test_fixed_rows_may_come_stacked_and_are_cast(tmp_path: Path) -> None:
    specs = [ArraySpec("x", "bfloat16", (4, 3))]
    store = open_store(tmp_path, specs=specs, rows=600, lengths=None)
    assert store.order.tolist() == list(range(600)) and store.missing() == [0, 1, 2]
    values = torch.randn(600, 4, 3, requires_grad=True)
    for chunk in store.missing():
        store.write(chunk, {"x": values[store.chunk_rows(chunk)]})
    order = np.random.default_rng(0).permutation(600)
    assert torch.equal(store.read(order)["x"], values.detach().bfloat16()[order])


def test_shuffled_reads(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert assert_right(store) == CHUNKS
    assert (np.diff(LENGTHS[store.order]) <= 0).all()
    travelled = pickle.loads(pickle.dumps(store))
    for rows in np.random.default_rng(1).permutation(ROWS).reshape(-1, 30):
        read, again = store.read(rows, pad={"hidden": -1.0}), travelled.read(rows, 40, left=True)
        longest = int(LENGTHS[rows].max())
        for place, number in enumerate(rows.tolist()):
            size = int(LENGTHS[number])
            hidden, mask = (row(each, number, size) for each in SPECS[:2])
            assert torch.equal(read["hidden"][place, :size], hidden)
            assert (read["hidden"][place, size:] == -1).all()
            assert torch.equal(again["hidden"][place, 40 - size :], hidden)
            assert torch.equal(again["mask"][place, 0, 40 - size :, 40 - size :], mask[0])
            assert int(again["mask"][place].sum()) == int(mask.sum())
        assert read["mask"].shape == (30, 1, longest, longest)
        assert read["pooled"].shape == again["pooled"].shape == (30, 8)


def test_what_depends_on_what(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    assert open_store(tmp_path, note={"model": "renamed"}).path == first.path
    others = [
        open_store(tmp_path, lengths=LENGTHS[::-1].copy()),
        open_store(tmp_path, specs=SPECS[:2]),
        open_store(tmp_path, rows=ROWS - 1, lengths=LENGTHS[:-1]),
        RowStore.open(tmp_path, {}, SPECS, ROWS, LENGTHS, budget=Budget()),
    ]
    assert len({store.path for store in (first, *others)}) == 5 == len(entries(tmp_path))


def test_what_callers_get_wrong(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(ValueError, match="not in the cache yet"):
        store.read(np.array([0]))
    right = chunk_of(store, 0)
    for wrong, text in (
        ({"hidden": right["hidden"]}, "arrays"),
        (right | {"hidden": right["hidden"][1:]}, "255 rows for a chunk of 256"),
        (right | {"hidden": [each[1:] for each in right["hidden"]]}, "for a row of"),
    ):
        with pytest.raises(ValueError, match=text):
            store.write(0, wrong)
    assert store.missing() == list(range(CHUNKS)) == open_store(tmp_path).missing()
    fill(store)
    with pytest.raises(ValueError, match="a row of length 32 in a batch of length 8"):
        store.read(np.arange(200), 8)
    for rows in ([-1], [ROWS]):
        with pytest.raises(IndexError):
            store.read(np.array(rows))
    with pytest.raises(ValueError, match="no lengths"):
        open_store(tmp_path, lengths=None)


def test_killed_at_random_moments(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole, told = start(tmp_path / "whole")
    _, began, _ = told.recv()
    seconds = told.recv()[1] - began
    whole.join()
    chance, kills, partly, before = random.Random(0), 0, 0, 0
    folder = tmp_path / "cache"
    for _ in range(12):
        process, told = start(folder)
        _, began, _ = told.recv()
        time.sleep(max(0.0, began + chance.random() * 0.5 * seconds - time.monotonic()))
        process.kill()
        process.join()
        kills += process.exitcode == KILLED
        there = assert_right(open_store(folder))
        assert there >= before  # what was there stays there
        partly, before = partly + (0 < there < CHUNKS), there
    assert kills >= 3 and partly >= 1
    assert "damaged" not in caplog.text
    store = open_store(folder)
    with store.locked():
        fill(store)
    assert assert_right(open_store(folder)) == CHUNKS


@pytest.mark.parametrize(("where", "after"), [("write", 1), ("write", 1000), ("journal", 1)])
def test_killed_half_way_through_a_step(where: str, after: int, tmp_path: Path) -> None:
    process, _ = start(tmp_path, die_in=where, after=after)
    process.join()
    assert process.exitcode == KILLED
    store = open_store(tmp_path)
    done = assert_right(store)
    assert done == (1 if after == 1000 else 0)
    with store.locked():
        fill(store)
    # The half line of the journal does not spoil the line after it.
    assert assert_right(open_store(tmp_path)) == CHUNKS


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.999999])
@pytest.mark.parametrize("array", range(3))
def test_one_flipped_byte(
    array: int, place: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = filled(tmp_path)
    file = store.path / f"{SPECS[array].name}.bin"
    content = bytearray(file.read_bytes())
    offset = int(place * len(content))
    content[offset] ^= 0x10
    file.write_bytes(content)
    sizes = [
        [SPECS[array].unit * int(LENGTHS[i]) ** SPECS[array].ragged for i in store.chunk_rows(c)]
        for c in range(CHUNKS)
    ]
    ends = np.cumsum([sum(each) for each in sizes])
    hit = int(np.searchsorted(ends, offset, side="right"))
    again = open_store(tmp_path)
    assert again.missing() == [hit]
    assert f"{store.path.name}: 1 of {CHUNKS} chunks are damaged" in caplog.text
    assert assert_right(again) == CHUNKS - 1
    fill(again)
    again.reload()
    assert again.is_complete
    assert assert_right(open_store(tmp_path)) == CHUNKS


def test_a_file_cut_short_or_lost(tmp_path: Path) -> None:
    store = filled(tmp_path)
    file = store.path / "hidden.bin"
    size = file.stat().st_size
    os.truncate(file, size - 1)
    with pytest.raises(RecordError, match="cut short"):
        store.read(store.order[-1:])
    again = open_store(tmp_path)
    assert again.missing() == [CHUNKS - 1] and file.stat().st_size == size
    file.unlink()
    again = open_store(tmp_path)
    assert again.missing() == list(range(CHUNKS)) and file.stat().st_size == size
    fill(again)
    assert assert_right(open_store(tmp_path)) == CHUNKS


def test_a_journal_with_nonsense(tmp_path: Path) -> None:
    store = filled(tmp_path)
    path = store.path / "journal.0"
    lines = path.read_bytes().split()
    nonsense = b'[]\n\xff\n{"chunk": 99, "crc": {}}\n{"chunk": "0", "crc": 3}\n7\n{"chunk": 0, "crc": {"hidden": 1}}\n'
    path.write_bytes(nonsense + path.read_bytes()[:-15])
    assert len(lines) > CHUNKS
    assert open_store(tmp_path).missing() == [CHUNKS - 1]


def test_a_damaged_description_is_written_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (store.path / "meta.json").write_text('{"rows"')
    assert entries(tmp_path)[0].rows is None
    assert open_store(tmp_path).is_complete
    assert entries(tmp_path)[0].rows == ROWS


def test_two_processes_fill_alternate_chunks(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.locked():
        workers = [
            start(tmp_path, lock=False, rank=rank, chunks=list(range(rank, CHUNKS, 2)))
            for rank in (0, 1)
        ]
        for process, _ in workers:
            process.join()
            assert process.exitcode == 0
        assert store.missing() == list(range(CHUNKS))
        store.reload()
        assert store.is_complete
    assert {each.name for each in store.path.glob("journal.*")} == {"journal.0", "journal.1"}
    assert assert_right(store) == assert_right(open_store(tmp_path)) == CHUNKS


def test_a_second_run_waits_for_the_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    store = open_store(tmp_path)
    process, told = start(tmp_path)
    assert told.recv()[0] == "locked"
    with store.locked():
        assert store.is_complete  # it knows what the other one wrote
    process.join()
    assert caplog.text.count("another process fills") == 1


def test_the_lock_ends_with_its_process_and_keeps_an_entry(tmp_path: Path) -> None:
    process, told = start(tmp_path, wait=True)
    assert told.recv()[0] == "locked"
    (entry,) = entries(tmp_path)
    with pytest.raises(RecordError, match=f"a process is filling {entry.name}"):
        delete(tmp_path)
    assert (tmp_path / entry.name / "meta.json").exists()
    process.kill()
    process.join()
    with open_store(tmp_path).locked():
        pass
    assert delete(tmp_path).names == (entry.name,) and not (tmp_path / entry.name).exists()


def test_an_entry_deleted_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    delete(tmp_path)
    with store.locked():
        assert store.missing() == list(range(CHUNKS))
        fill(store)
    assert assert_right(open_store(tmp_path)) == CHUNKS


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system of 1 MB; the look at the free room before is told that there is plenty."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    plenty = os.statvfs(folder)
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**12, "was": plenty})
    )
    try:
        yield folder  # type: ignore[misc]
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


_READING = """
import sys
import numpy as np, torch
from pathlib import Path
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.row_store import ArraySpec, RowStore
rows = int(sys.argv[2])
store = RowStore.open(
    Path(sys.argv[1]), {}, [ArraySpec("x", "float32", (384,))], rows, None, budget=Budget()
)
for chunk in store.missing():
    store.write(chunk, {"x": torch.full((len(store.chunk_rows(chunk)), 384), float(chunk))})
def resident():
    (line,) = (each for each in open("/proc/self/status") if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
store.read(np.arange(32))
before = resident()
for seed in (0, 1):
    for part in np.array_split(np.random.default_rng(seed).permutation(rows), rows // 32):
        assert (store.read(part)["x"][:, 0].numpy() == part // 256).all()
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def grown(rows: int) -> float:
        words = [sys.executable, "-c", _READING, str(tmp_path), str(rows)]
        return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    few, many = grown(10_000), grown(100_000)  # 15 and 154 MB
    assert abs(few) < 20 and abs(many) < 20
