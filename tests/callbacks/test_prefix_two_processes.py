"""Two processes share a fill and a cache, and so do runs that know nothing of one another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.callbacks import prefix_killed
from tests.callbacks.killed_runs import start_server, stop_server
from tests.callbacks.prefix_killed import Attempt
from tests.callbacks.prefix_runs import EXACT, gap
from tests.callbacks.prefix_two_process_script import PROCESSES, ROWS

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("prefix_two_process_script.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(PROCESSES)]

Results = list[dict[str, Any]]


def _start(folder: Path, cache: Path | None, what: str = "") -> subprocess.Popen[str]:
    folder.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [*TORCHRUN, "--master_port", "0", str(SCRIPT), str(folder), str(cache or "-"), what]
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _results(process: subprocess.Popen[str], folder: Path) -> tuple[Results, str]:
    """Return what each process wrote; the exit code says nothing, for some exits abort."""
    try:
        output, _ = process.communicate(timeout=100)
    finally:
        process.kill()
    files = [folder / f"{rank}.pt" for rank in range(PROCESSES)]
    if not all(file.is_file() for file in files):
        pytest.fail(f"no result of each process:\n{output}")
    return [torch.load(file) for file in files], output


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("plain") / "run"
    return _results(_start(folder, None), folder)[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared(place: Path) -> Results:
    return _results(_start(place / "run", place / "cache"), place / "run")[0]


def _rows(results: Results) -> int:
    """Return the rows computed for the training set, on which both processes agree."""
    first, second = (each["uses"] for each in results)
    assert len(first) == len(second) == 1 and first[0]["before"] == second[0]["before"] != ""
    assert first[0]["rows"] == second[0]["rows"]
    return int(first[0]["rows"])


def test_both_fill_their_share(shared: Results) -> None:
    assert _rows(shared) == ROWS
    # The evaluation set has two chunks, one for each.
    wrote = [each["wrote"] for each in shared]
    assert sum(wrote) == ROWS + 300 and all(600 < rows < 1200 for rows in wrote)


def test_processes_stay_equal_and_end_as_without(plain: Results, shared: Results) -> None:
    for before, after in zip(plain, shared, strict=True):
        assert before["gap"] == after["gap"] == 0.0 and before["uses"] == []
        assert gap(before["weights"], after["weights"]) < EXACT
        assert before["eval_loss"] == pytest.approx(after["eval_loss"], abs=EXACT)


def test_one_process_killed_in_the_fill(shared: Results, tmp_path: Path) -> None:
    process = _start(tmp_path / "run", tmp_path / "cache", "die")
    output, _ = process.communicate(timeout=100)
    assert "exitcode  : -9" in output and not list((tmp_path / "run").glob("*.pt")), output
    results, _ = _results(_start(tmp_path / "again", tmp_path / "cache"), tmp_path / "again")
    assert 0 < _rows(results) < ROWS and _rows(results) % 256 in (0, ROWS % 256)
    for before, after in zip(shared, results, strict=True):
        assert gap(before["weights"], after["weights"]) == 0


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    start_server()
    yield
    stop_server()


def test_two_runs_at_once(server: None, tmp_path: Path) -> None:
    """The second waits while the first fills, and computes nothing."""
    whole = prefix_killed.run(tmp_path, tmp_path / "whole")
    attempts = [Attempt(tmp_path / str(n), tmp_path / "cache", slow=True) for n in range(2)]
    for each in attempts:
        assert each.end() == 0
    computed = sorted(each.rows() for each in attempts)
    assert computed == [0, prefix_killed.ROWS]
    texts = [(tmp_path / str(n) / "log.txt").read_text() for n in range(2)]
    assert sum("another process fills cache entry" in text for text in texts) == 1
    for number in range(2):
        weights = torch.load(tmp_path / str(number) / "weights.pt")
        assert gap(weights, whole.weights) == 0


def test_two_runs_at_once_of_which_one_dies(server: None, tmp_path: Path) -> None:
    """Who waits goes on from what the dead one left."""
    whole = prefix_killed.run(tmp_path, tmp_path / "whole")
    first = Attempt(tmp_path / "0", tmp_path / "cache", slow=True)
    began = first.wait("filling")
    second = Attempt(tmp_path / "1", tmp_path / "cache", slow=True)
    assert first.kill_at(began + 0.5 * first.slowness)
    assert second.end() == 0
    assert 0 < second.rows() < prefix_killed.ROWS
    assert gap(torch.load(tmp_path / "1" / "weights.pt"), whole.weights) == 0


def test_two_processes_wait_for_a_run_that_dies(
    server: None, shared: Results, tmp_path: Path
) -> None:
    """Both must know what that one wrote, or chunks are computed by none of them."""
    first = Attempt(tmp_path / "0", tmp_path / "cache", slow=True, rows=ROWS)
    began = first.wait("filling")
    process = _start(tmp_path / "run", tmp_path / "cache")
    assert first.kill_at(began + 0.7 * first.slowness)
    results, output = _results(process, tmp_path / "run")
    assert "another process fills cache entry" in output
    assert 0 < _rows(results) < ROWS
    for before, after in zip(shared, results, strict=True):
        assert gap(before["weights"], after["weights"]) == 0


def test_a_second_run_computes_nothing(shared: Results, place: Path) -> None:
    results, _ = _results(_start(place / "again", place / "cache"), place / "again")
    assert _rows(results) == 0 and [each["wrote"] for each in results] == [0, 0]
    for before, after in zip(shared, results, strict=True):
        assert gap(before["weights"], after["weights"]) == 0
