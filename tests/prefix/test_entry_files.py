"""The files of an entry: what kills, damage and other processes leave of them."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.prefix.cache_folder import delete, entries
from tests.prefix.filling import (
    CHUNKS,
    LENGTHS,
    ROWS,
    SPECS,
    assert_right,
    fill,
    filled,
    open_store,
    start,
    use_server,
)

KILLED = -signal.SIGKILL


@pytest.fixture(autouse=True, scope="module")
def server() -> None:
    use_server()


def test_killed_at_random_moments(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole, told = start(tmp_path / "whole")
    _, began, _ = told.recv()
    seconds = told.recv()[1] - began
    whole.join()
    chance, kills, partly, before = random.Random(0), 0, 0, 0
    folder = tmp_path / "cache"
    for _ in range(60):  # on a busy machine many come too late
        if kills >= 6 and partly:
            break
        process, told = start(folder)
        _, began, _ = told.recv()
        time.sleep(max(0.0, began + chance.random() * 0.5 * seconds - time.monotonic()))
        process.kill()
        process.join()
        kills += process.exitcode == KILLED
        there = assert_right(open_store(folder))
        assert there >= before  # what was there stays there
        partly, before = partly + (0 < there < CHUNKS), there
        if there == CHUNKS:  # nothing is left to be killed in: once more from the beginning
            folder, before = folder / "again", 0
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
    nonsense = b'[]\n\xff\n7\n{"chunk": 99, "crc": {}}\n{"chunk": "0", "crc": 3}\n'
    nonsense += b'{"chunk": 0, "crc": {"hidden": 1}}\n'
    path.write_bytes(nonsense + path.read_bytes()[:-15])
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
