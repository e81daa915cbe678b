"""Two processes share a fill and a cache, and so do runs that know nothing of one another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.augmented_runs import PHOTOGRAPHS, augmented, trainer
from tests.callbacks import prefix_killed
from tests.callbacks.prefix_killed import Attempt
from tests.callbacks.prefix_runs import EXACT, entry_with, gap, train
from tests.callbacks.prefix_two_process_script import CHUNKS, PROCESSES, ROWS, VIEWS
from tests.forked import Torchrun, start_server

SCRIPT = Path(__file__).with_name("prefix_two_process_script.py")
PAUSE = 0.8  # for each chunk: others come in between

Results = list[dict[str, Any]]


def _start(folder: Path, cache: Path, what: str = "once") -> Torchrun:
    folder.mkdir()
    words = (str(folder), str(cache), what)
    return Torchrun(folder / "log", SCRIPT, *words, processes=PROCESSES)


def _results(started: Torchrun, folder: Path) -> list[Results]:
    """Return what each process wrote for each run; the exit code says nothing: some exits abort."""
    output = started.output(timeout=240)
    files = [folder / f"{rank}.pt" for rank in range(PROCESSES)]
    if not all(file.is_file() for file in files):
        pytest.fail(f"no result of each process:\n{output}")
    return [list(each) for each in zip(*map(torch.load, files), strict=True)]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """Return a run without a cache, one that fills it and one that finds it full.

    Then two on views of augmented images, without a cache and with it.
    """
    folder = tmp_path_factory.mktemp("three")
    results = _results(_start(folder / "run", folder / "cache", "all"), folder / "run")
    assert len(results) == 5
    return results


def _rows(results: Results) -> int:
    """Return the rows computed for the training set, on which both processes agree."""
    first, second = (each["uses"] for each in results)
    assert len(first) == len(second) == 1 and first[0]["before"] == second[0]["before"] != ""
    assert first[0]["rows"] == second[0]["rows"]
    return int(first[0]["rows"])


def test_both_fill_their_share(three: list[Results]) -> None:
    assert _rows(three[1]) == ROWS
    # The evaluation set has two chunks, one for each.
    wrote = [each["wrote"] for each in three[1]]
    assert sum(wrote) == ROWS + 300 and all(600 < rows < 1200 for rows in wrote)


def test_processes_stay_equal_and_end_as_without(three: list[Results]) -> None:
    for before, after in zip(three[0], three[1], strict=True):
        assert before["gap"] == after["gap"] == 0.0 and before["uses"] == []
        assert gap(before["weights"], after["weights"]) < EXACT
        assert before["eval_loss"] == pytest.approx(after["eval_loss"], abs=EXACT)


def test_a_second_run_computes_nothing(three: list[Results]) -> None:
    assert _rows(three[2]) == 0 and [each["wrote"] for each in three[2]] == [0, 0]
    _assert_equal(three[1], three[2])


def test_views_are_those_of_one_process(three: list[Results], tmp_path: Path) -> None:
    """In each epoch both processes show the view that one process would, from the cache or not."""
    alone = train(trainer(tmp_path, augmented(VIEWS)), None)
    for results in three[3:]:
        for each in results:
            assert each["gap"] == 0.0 and gap(alone.weights, each["weights"]) < EXACT
    assert _rows(three[4]) == VIEWS * PHOTOGRAPHS


def _assert_equal(one: Results, two: Results) -> None:
    for before, after in zip(one, two, strict=True):
        assert gap(before["weights"], after["weights"]) == 0


def test_one_process_killed_in_the_fill(three: list[Results], tmp_path: Path) -> None:
    output = _start(tmp_path / "run", tmp_path / "cache", "die").output(timeout=240)
    # torchrun names the one that it sees first: the killed one, or the other, left alone.
    assert "dies in the fill" in output and "ChildFailedError" in output, output
    assert not list((tmp_path / "run").glob("*.pt"))
    (again,) = _results(_start(tmp_path / "again", tmp_path / "cache"), tmp_path / "again")
    assert 0 < _rows(again) < ROWS and _rows(again) % 256 in (0, ROWS % 256)
    _assert_equal(three[1], again)


@pytest.fixture(scope="module")
def server() -> None:
    start_server()


def test_two_runs_at_once(server: None, tmp_path: Path) -> None:
    """The second waits while the first fills, and computes nothing."""
    whole = prefix_killed.run(tmp_path, tmp_path / "whole")
    attempts = [Attempt(tmp_path / str(n), tmp_path / "cache", pause=PAUSE) for n in range(2)]
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
    first = Attempt(tmp_path / "0", tmp_path / "cache", pause=PAUSE)
    began = first.wait("filling")
    second = Attempt(tmp_path / "1", tmp_path / "cache", pause=PAUSE)
    assert first.kill_at(began + PAUSE * 3.5)
    assert second.end() == 0
    assert 0 < second.rows() < prefix_killed.ROWS
    assert gap(torch.load(tmp_path / "1" / "weights.pt"), whole.weights) == 0


def test_two_processes_wait_for_a_run_that_dies(
    server: None, three: list[Results], tmp_path: Path
) -> None:
    """Both must know what that one wrote, or chunks are computed by none of them."""
    cache = tmp_path / "cache"
    first = Attempt(tmp_path / "0", cache, pause=4.0, rows=ROWS)
    first.wait("filling")
    both = _start(tmp_path / "run", cache)
    assert "waiting" in both.heard("another process fills")
    before = _chunks(cache)
    while _chunks(cache) == before:
        time.sleep(0.05)
    assert first.kill_at(0.0)
    left = ROWS - 256 * _chunks(cache)
    (results,) = _results(both, tmp_path / "run")
    assert _rows(results) == left > 0
    _assert_equal(three[1], results)


def _chunks(cache: Path) -> int:
    """Return how many chunks of activations are written."""
    journal = entry_with(cache, "*-*-*.bin") / "journal.0"
    return journal.read_text().count("}\n") if journal.exists() else 0


def test_table() -> None:
    assert ROWS == 5 * 256 + 220 and CHUNKS == 6
