"""A run that is killed at any moment and resumed ends with the weights of one that was not."""

from __future__ import annotations

import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hf_transfer_plugin.callbacks.complete_checkpoints import (
    incomplete_reason,
    last_complete_checkpoint,
)
from tests.callbacks.killed_runs import CASES, KILLED, attempt, weights
from tests.callbacks.tiny import STEPS, changed
from tests.forked import start_server

logger = logging.getLogger(__name__)

RUNS = 20
KILLS_OF_A_RUN = 1  # at most, so that this ends
WHOLE = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")
DEADLY = [("auto_freeze", f"checkpoint-3/{name}") for name in WHOLE]
DEADLY += [
    ("lp_ft", "checkpoint-3/adapter_model.safetensors"),
    ("adapters_first", "checkpoint-7/optimizer.pt"),
    ("chain_thaw on plateaus", "checkpoint-3/optimizer.pt"),
    ("gradual_unfreezing", "checkpoint-1/optimizer.pt"),
]

Uninterrupted = Callable[[str], tuple[dict[str, torch.Tensor], float]]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    """Return the final weights and the duration of a run of a case that nobody killed."""
    start_server()
    known: dict[str, tuple[dict[str, torch.Tensor], float]] = {}

    def result(case: str) -> tuple[dict[str, torch.Tensor], float]:
        if case not in known:
            folder = tmp_path_factory.mktemp("whole")
            code, seconds = attempt(case, folder)
            assert code == 0
            known[case] = weights(folder), seconds
        return known[case]

    return result


def last_written(folder: Path, moment: float) -> str:
    """Return the newest file of the checkpoint that was cut since then, or nothing."""
    for path in folder.glob("checkpoint-*"):
        times = {file.name: file.stat().st_mtime for file in path.iterdir()}
        if max(path.stat().st_mtime, *times.values(), 0) >= moment and incomplete_reason(path):
            return max(times, key=times.__getitem__, default="none yet")
    return ""


def test_killed_at_random_moments(uninterrupted: Uninterrupted, tmp_path: Path) -> None:
    chance = random.Random(0)
    kills, inside, exact = 0, Counter[str](), []
    for number in range(RUNS):
        case = list(CASES)[number % len(CASES)]
        expected, seconds = uninterrupted(case)
        folder, code, killed = tmp_path / str(number), KILLED, 0
        while code == KILLED or not killed:
            if code != KILLED:  # it was done before its kill came: once more from the beginning
                folder = folder / "again"
            last, moment = last_complete_checkpoint(folder), time.time()
            kill_after = chance.uniform(0, seconds) if killed < KILLS_OF_A_RUN else None
            code, _ = attempt(case, folder, last, kill_after=kill_after)
            assert code in (0, KILLED), (number, case, last)
            killed += code == KILLED
            if code == KILLED and (file := last_written(folder, moment)):
                inside[file] += 1
        kills += killed
        exact.append(not changed(expected, weights(folder)))
    logger.info(
        "%d of %d runs bit-exact after %d kills, %d of them inside the writing of a checkpoint: %s",
        sum(exact),
        RUNS,
        kills,
        inside.total(),
        dict(inside),
    )
    assert kills >= RUNS and inside.total() >= 1
    assert sum(exact) == RUNS == 20, exact


@pytest.mark.parametrize(("case", "file"), DEADLY)
def test_killed_inside_the_writing_of_a_file(
    uninterrupted: Uninterrupted, tmp_path: Path, case: str, file: str
) -> None:
    step = int(re.findall(r"\d+", file)[0])
    before = str(tmp_path / f"checkpoint-{step - 1}") if step > 1 else None
    code, _ = attempt(case, tmp_path, die_in=file)
    assert code == KILLED
    assert 0 < (tmp_path / file).stat().st_size
    assert incomplete_reason(tmp_path / f"checkpoint-{step}")
    assert last_complete_checkpoint(tmp_path) == before
    code, _ = attempt(case, tmp_path, before)
    assert code == 0
    assert last_complete_checkpoint(tmp_path) == str(tmp_path / f"checkpoint-{STEPS}")
    assert not changed(uninterrupted(case)[0], weights(tmp_path))


@pytest.mark.parametrize("file", ["rng_state.pth", "optimizer.pt", "scheduler.pt"])
def test_each_file_matters(uninterrupted: Uninterrupted, tmp_path: Path, file: str) -> None:
    expected, _ = uninterrupted("auto_freeze")
    before = tmp_path / "checkpoint-2"
    code, _ = attempt("auto_freeze", tmp_path, die_in="checkpoint-3/model.safetensors")
    assert code == KILLED and incomplete_reason(before) == ""
    (before / file).unlink()
    assert last_complete_checkpoint(tmp_path) == str(tmp_path / "checkpoint-1")
    elsewhere = before.rename(tmp_path / "given")
    code, _ = attempt("auto_freeze", tmp_path, str(elsewhere))
    if file == "rng_state.pth":
        assert code == 0 and changed(expected, weights(tmp_path))
    else:
        # Trainer would begin with a fresh optimizer and say nothing: the callback refuses.
        assert code == 1 and not (tmp_path / "weights.pt").exists()


def test_tables() -> None:
    assert len(DEADLY) == 9 and len(CASES) == RUNS
