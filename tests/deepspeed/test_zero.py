"""Schedules under DeepSpeed end as they do without it, or are refused before the first step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.callbacks.test_two_processes import Results
from tests.callbacks.tiny import STEPS, changed
from tests.callbacks.two_process_script import PROCESSES
from tests.deepspeed.zero_script import HALF, PLAIN, REFUSALS, ZERO
from tests.test_processes import ROOT, TORCHRUN

SCRIPT = Path(__file__).with_name("zero_script.py")
SECONDS = 1200  # the first start of DeepSpeed compiles for minutes

pytestmark = pytest.mark.timeout(2 * SECONDS)


def _launch(what: str, folder: Path) -> Results:
    """Return what each process wrote; fails with the output when one wrote nothing."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # DeepSpeed looks for ninja
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PATH": path}
    done = subprocess.run(
        [*TORCHRUN, str(SCRIPT), what, str(folder)],
        env={**os.environ, **settings, "DS_ACCELERATOR": "cpu"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    files = [folder / f"{what}-{rank}.pt" for rank in range(PROCESSES)]
    if not all(file.is_file() for file in files):
        pytest.fail(f"no result of each process:\n{done.stdout}\n{done.stderr}")
    return [torch.load(file) for file in files]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zero")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Results:
    """Return the results of DistributedDataParallel."""
    return _launch("plain", folder)


@pytest.fixture(scope="module")
def zero(folder: Path) -> Results:
    """Return the results of DeepSpeed, which leave checkpoints in the folder."""
    return _launch("zero", folder)


@pytest.fixture(scope="module")
def resumed(zero: Results, folder: Path) -> Results:
    """Return the final weights of new processes that go on from the checkpoints."""
    return _launch("resumed", folder)


@pytest.fixture(scope="module")
def refused(folder: Path) -> Results:
    """Return the message of each refusal."""
    return _launch("refused", folder)


def test_tables_of_cases_are_whole() -> None:
    assert (len(PLAIN), len(ZERO), len(HALF), len(REFUSALS)) == (14, 19, 2, 12)
    assert {plain for plain, _ in ZERO.values()} == set(PLAIN)
    assert {stage for _, stage in ZERO.values()} == {0, 1, 2}


@pytest.mark.parametrize("name", ZERO | HALF)
def test_frozen_weights_rest_and_thawed_ones_move(name: str, zero: Results) -> None:
    plain, _ = (ZERO | HALF)[name]
    for results in zero:
        result: dict[str, Any] = results[name]
        assert result["weights"] == [0.0] * STEPS, "the processes differ"
        trainable = [set(names) for names in result["trainable"]]
        moved = [set(names) for names in result["moved"]]
        assert len(moved) == len(trainable) == STEPS
        changes = sum(a != b for a, b in zip(trainable, trainable[1:], strict=False))
        assert 1 + changes == PLAIN[plain].trainable
        if name in HALF:  # small steps round to none
            assert all(m <= t for m, t in zip(moved, trainable, strict=True))
            assert set().union(*moved) == set().union(*trainable)
        else:
            assert moved == trainable


@pytest.mark.parametrize("name", ZERO)
def test_ends_as_without_deepspeed(name: str, plain: Results, zero: Results) -> None:
    key, _ = ZERO[name]
    for without, results in zip(plain, zero, strict=True):
        expected, found = without[key], results[name]
        first = expected["first"]
        assert max(float((expected["final"][n] - first[n]).abs().max()) for n in first) > 2e-3
        torch.testing.assert_close(found["final"], expected["final"], rtol=0, atol=1e-6)
        assert len(found["rates"]) == STEPS
        assert found["rates"] == expected["rates"]


@pytest.mark.parametrize("name", ZERO | HALF)
def test_resume_is_bit_exact(name: str, zero: Results, resumed: Results) -> None:
    for before, after in zip(zero, resumed, strict=True):
        assert not changed(before[name]["final"], after[name])


def test_best_model_is_not_the_last(plain: Results) -> None:
    """Else the cases of load_best_model_at_end would show nothing."""
    assert changed(plain[0]["lora best"]["final"], plain[0]["lora chain"]["final"])
    assert changed(plain[0]["best"]["final"], plain[0]["lp_ft"]["final"])


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_before_the_first_step(name: str, refused: Results) -> None:
    for messages in refused:
        assert messages[name].startswith("0 steps made; ")
        assert REFUSALS[name].arrived in messages[name]
