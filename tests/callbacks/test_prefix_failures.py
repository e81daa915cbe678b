"""Kills, damage and full disks cost time and nothing else: the weights are those without them."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hf_transfer_plugin import FreezingCallback
from hf_transfer_plugin.prefix.cache_folder import entries
from tests.callbacks import prefix_killed
from tests.callbacks.killed_runs import KILLED
from tests.callbacks.prefix_killed import Attempt
from tests.callbacks.prefix_runs import (
    EXACT,
    ROWS,
    Done,
    entry_with,
    gap,
    make,
    probe,
    train,
    warnings_of,
)
from tests.forked import start_server

KILLS = 6

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def server() -> None:
    start_server()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Return a run that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    done: Done = prefix_killed.run(folder, folder / "cache")
    assert done.rows == prefix_killed.ROWS
    return done


@pytest.fixture(scope="module")
def seconds(server: None, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Return how long the fill takes in a process of its own."""
    folder = tmp_path_factory.mktemp("seconds")
    attempt = Attempt(folder, folder / "cache")
    took = -attempt.wait("filling") + attempt.wait("filled")
    assert attempt.end() == 0
    return took


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done, Done]:
    """Return a full cache, the run that filled it and one without a cache."""
    folder = tmp_path_factory.mktemp("filled")
    done = train(make(folder, probe()), folder / "cache")
    assert done.rows == ROWS
    return folder / "cache", done, train(make(folder, probe()), None)


@pytest.fixture
def cache(filled: tuple[Path, Done, Done], tmp_path: Path) -> Path:
    """Return a full cache of one's own."""
    return Path(shutil.copytree(filled[0], tmp_path / "cache"))


def test_the_cached_run_is_the_plain_one(filled: tuple[Path, Done, Done]) -> None:
    _, done, plain = filled
    assert gap(done.weights, plain.weights) < EXACT


def test_killed_at_random_moments_of_the_fill(whole: Done, seconds: float, tmp_path: Path) -> None:
    chance, left, number = random.Random(0), [], 0
    while len(left) < KILLS and number < 3 * KILLS:
        number += 1
        attempt = Attempt(tmp_path, tmp_path / f"{number}")
        began = attempt.wait("filling")
        if not attempt.kill_at(began + chance.uniform(0, seconds)):
            continue  # it was done before its kill came
        assert attempt.end() == KILLED
        done = prefix_killed.run(tmp_path, tmp_path / f"{number}")
        assert gap(done.weights, whole.weights) == 0
        assert done.rows > 0 and done.rows % 256 == 0
        left.append(done.rows)
    logger.info("%d kills inside the fill left %s of %d rows", len(left), left, prefix_killed.ROWS)
    assert len(left) == KILLS
    assert sum(0 < rows < prefix_killed.ROWS for rows in left) >= KILLS // 2, left


def test_killed_again_and_again(whole: Done, tmp_path: Path) -> None:
    """Each run goes on from the one before and is killed after its first chunk, until one lives."""
    left = [prefix_killed.ROWS]
    for _ in range(3):
        attempt = Attempt(tmp_path, tmp_path / "cache", pause=0.1)
        given_up = attempt.wait("filling") + 60
        while _missing(tmp_path / "cache") == left[-1] and time.monotonic() < given_up:
            time.sleep(0.005)
        attempt.kill_at(time.monotonic())
        left.append(_missing(tmp_path / "cache"))
    assert left == sorted(left, reverse=True) and 0 < left[-1] < prefix_killed.ROWS, left
    done = prefix_killed.run(tmp_path, tmp_path / "cache")
    assert done.rows == left[-1]
    assert gap(done.weights, whole.weights) == 0


def _missing(cache: Path) -> int:
    """Return how many rows are in neither entry, by the journals."""
    there = [
        {json.loads(line)["chunk"] for line in file.read_text().split("\n") if line.endswith("}")}
        for file in cache.glob("*/journal.0")
    ]
    both = set.intersection(*there) if len(there) == 2 else set()
    return prefix_killed.ROWS - 256 * len(both)


def _flip(file: Path, place: float) -> None:
    content = bytearray(file.read_bytes())
    content[min(int(len(content) * place), len(content) - 1)] ^= 0x40
    file.write_bytes(content)


def _cut(file: Path, size: int) -> None:
    os.truncate(file, size if size >= 0 else file.stat().st_size + size)


Damage = Callable[[Path, Path], object]  # entry of the activations, entry of the inputs
#: What happens to the files -> rows that are computed again, and whether a warning can name it.
DAMAGES: dict[str, tuple[Damage, int, bool]] = {
    "bit of the first activation": (lambda a, i: _flip(*_first(a, 0.0)), 256, True),
    "bit amid the activations": (lambda a, i: _flip(*_first(a, 0.6)), 256, True),
    "bit of the last activation": (lambda a, i: _flip(*_first(a, 1.0)), 88, True),
    "bit of the words": (lambda a, i: _flip(i / "input_ids.bin", 0.0), 256, True),
    "bit of the mask": (lambda a, i: _flip(i / "attention_mask.bin", 1.0), 88, True),
    "bit of the labels": (lambda a, i: _flip(i / "labels.bin", 0.5), 256, True),
    "bits of two chunks": (
        lambda a, i: [_flip(i / "labels.bin", each) for each in (0.0, 1.0)],
        344,
        True,
    ),
    "one byte short": (lambda a, i: _cut(_first(a, 0)[0], -1), 88, True),
    "nothing left": (lambda a, i: _cut(_first(a, 0)[0], 0), ROWS, True),
    "half of the labels": (lambda a, i: _cut(i / "labels.bin", ROWS // 2 * 8), 344, True),
    "data file gone": (lambda a, i: _first(a, 0)[0].unlink(), ROWS, True),
    "journal gone": (lambda a, i: (a / "journal.0").unlink(), ROWS, False),
    "journal of the inputs gone": (lambda a, i: (i / "journal.0").unlink(), ROWS, False),
    "journal cut": (lambda a, i: _cut(a / "journal.0", -9), 88, False),
    "journal of noise": (lambda a, i: (a / "journal.0").write_bytes(b"\xff\x00" * 99), ROWS, False),
    "journal of brackets": (lambda a, i: (a / "journal.0").write_text("[" * 10**5), ROWS, False),
    "other checksum": (lambda a, i: _other_checksum(a / "journal.0"), 256, True),
    "description gone": (lambda a, i: (a / "meta.json").unlink(), 0, False),
    "description cut": (lambda a, i: _cut(a / "meta.json", 40), 0, False),
    "description of noise": (lambda a, i: (a / "meta.json").write_bytes(b"\xff\x00"), 0, False),
    "description empty": (lambda a, i: _cut(i / "meta.json", 0), 0, False),
    "lengths of noise": (lambda a, i: (a / "lengths.npy").write_bytes(b"\xff\x00"), 0, False),
    "entry gone": (lambda a, i: shutil.rmtree(a), ROWS, False),
    "inputs gone": (lambda a, i: shutil.rmtree(i), ROWS, False),
}


def _first(entry: Path, place: float) -> tuple[Path, float]:
    return sorted(entry.glob("*-*.bin"))[0], place


def _other_checksum(journal: Path) -> None:
    text = journal.read_text()
    first = next(line for line in text.splitlines() if line)
    noted = json.loads(first)
    name = next(iter(noted["crc"]))
    noted["crc"][name] ^= 1
    journal.write_text(text.replace(first, json.dumps(noted)))


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_mended(
    name: str,
    cache: Path,
    filled: tuple[Path, Done, Done],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage, rows, told = DAMAGES[name]
    activations, inputs = entry_with(cache, "*-*-*.bin"), entry_with(cache, "input_ids.bin")
    assert activations != inputs
    damage(activations, inputs)
    done = train(make(tmp_path, probe()), cache)
    assert done.rows == rows
    assert gap(done.weights, filled[1].weights) == 0
    named = [
        text
        for text in warnings_of(caplog)
        if "damaged" in text and (activations.name in text or inputs.name in text)
    ]
    assert bool(named) == told, caplog.text
    caplog.clear()
    mended = train(make(tmp_path, probe()), cache)
    assert mended.rows == 0 and warnings_of(caplog) == []
    assert gap(mended.weights, filled[1].weights) == 0


def test_table_of_damages() -> None:
    assert len(DAMAGES) == 24


Full = Callable[[Path, pytest.MonkeyPatch], dict[str, Any]]


def _budget(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"budget": "100KB"}


def _file_in_its_place(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "cache").write_text("")
    return {}


def _below_a_file(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    (folder / "file").write_text("")
    return {"folder": folder / "file" / "cache"}


def _locked_by_a_folder(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """As an entry that another user began: its lock cannot be opened."""
    from hf_transfer_plugin.prefix import entry_files

    real = entry_files.FileLock

    class Refusing(real):  # type: ignore[valid-type, misc]
        def _acquire(self) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    patch.setattr(entry_files, "FileLock", Refusing)
    return {}


def _no_room_to_begin(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(os, "posix_fallocate", refuse)
    return {}


def _full_amid_the_fill(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    real, calls = os.pwrite, []

    def write(*given: Any) -> int:
        calls.append(given)
        if len(calls) > 1500:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*given)

    patch.setattr(os, "pwrite", write)
    return {}


def _disk_that_breaks(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    from hf_transfer_plugin.prefix import array_file

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    patch.setattr(array_file, "_sync", fail)
    return {}


FULL: dict[str, tuple[Full, str]] = {
    "budget": (_budget, "would pass its limit 100.0 KB"),
    "file in its place": (_file_in_its_place, "the cache cannot use"),
    "below a file": (_below_a_file, "the cache cannot use"),
    "lock refused": (_locked_by_a_folder, "Permission denied"),
    "no room to begin": (_no_room_to_begin, "the disk is full"),
    "full amid the fill": (_full_amid_the_fill, "the disk is full"),
    "broken disk": (_disk_that_breaks, "Input/output error"),
}


@pytest.mark.parametrize("name", FULL)
def test_without_room_the_run_is_that_without_a_cache(
    name: str,
    filled: tuple[Path, Done, Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    prepare, said = FULL[name]
    with monkeypatch.context() as patch:
        options = {"folder": tmp_path / "cache"} | prepare(tmp_path, patch)
        done = train(make(tmp_path, probe()), options.pop("folder"), **options)
    _, whole, plain = filled
    assert gap(done.weights, plain.weights) == 0 and done.losses == plain.losses
    assert said in done.reason and "to do: " in done.reason
    (warned,) = warnings_of(caplog)
    assert done.reason in warned
    if name not in ("file in its place", "below a file"):
        # Once there is room: what is there is whole, the rest is computed.
        after = train(make(tmp_path, probe()), tmp_path / "cache")
        assert 0 < after.rows <= ROWS
        assert (after.rows < ROWS) == (name == "full amid the fill")
        assert gap(after.weights, whole.weights) == 0


def test_table_of_full_disks() -> None:
    assert len(FULL) == 7


def test_too_small_a_budget_leaves_nothing_behind(tmp_path: Path) -> None:
    """What cannot be used only takes place from others."""
    done = train(make(tmp_path, probe()), tmp_path / "cache", budget="100KB")
    assert "would pass its limit" in done.reason
    assert [each for each in entries(tmp_path / "cache") if each.filled < 1] == []


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 256 KB; the look at the free room before is told that there is plenty."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full(
    small_disk: Path, filled: tuple[Path, Done, Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)  # files with holes
    done = train(make(small_disk.parent, probe()), small_disk)
    assert "the disk is full" in done.reason
    assert gap(done.weights, filled[2].weights) == 0


def test_room_for_one_boundary_of_several(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first is used; where the second would begin, the run goes on without."""
    phases: list[Any] = [
        {"train": ["head", "neck"], "until_step": 15},
        {"train": ["layer.1", "head"]},
    ]
    plain = train(make(tmp_path, FreezingCallback(phases)), None)
    whole = train(make(tmp_path, FreezingCallback(phases)), tmp_path / "whole")
    sizes = [use.bytes for use in whole.uses]
    assert len(sizes) == 2 and all(use.before for use in whole.uses)
    inputs = sum(each.bytes for each in entries(tmp_path / "whole")) - sum(sizes)
    caplog.clear()
    done = train(
        make(tmp_path, FreezingCallback(phases)),
        tmp_path / "cache",
        budget=inputs + sizes[0] + sizes[1] // 2,
    )
    assert [bool(use.before) for use in done.uses] == [True, False]
    assert done.uses[0].rows == ROWS and done.uses[1].step == 15
    assert "would pass its limit" in done.uses[1].reason
    assert any("a later boundary is not kept yet" in text for text in warnings_of(caplog))
    # Dropout of the layer that trains draws the same numbers.
    assert gap(plain.weights, whole.weights) < 10 * EXACT
    assert gap(plain.weights, done.weights) < 10 * EXACT


def test_a_short_run_does_not_fail_over_a_damaged_entry(
    filled: tuple[Path, Done, Done], cache: Path, tmp_path: Path
) -> None:
    """Such a run only uses what is there; what cannot be opened is not there."""
    _first(entry_with(cache, "*-*-*.bin"), 0)[0].unlink()
    plain = train(make(tmp_path, probe(), max_steps=6), None)
    done = train(make(tmp_path, probe(), max_steps=6), cache, budget="1KB")
    assert done.reason
    assert gap(done.weights, plain.weights) == 0


def test_a_short_run_uses_what_is_there(cache: Path, tmp_path: Path) -> None:
    plain = train(make(tmp_path, probe(), max_steps=6), None)
    done = train(make(tmp_path, probe(), max_steps=6), cache)
    assert done.rows == 0
    assert gap(done.weights, plain.weights) < EXACT
