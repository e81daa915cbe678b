"""Two processes train as one does, and a resumed run of two ends as an uninterrupted one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.callbacks.launching import launch
from tests.callbacks.tiny import STEPS, changed
from tests.callbacks.two_process_script import AVERAGED, CASES, KILLED, PROCESSES, SAVED, train

SCRIPT = Path(__file__).with_name("two_process_script.py")

Results = list[dict[str, Any]]


def _launch(script: Path, folder: Path, what: str, *words: str) -> tuple[Results, str]:
    """Return what each process wrote, and the output; fails with that when one wrote nothing."""
    files = [folder / f"{what}-{rank}.pt" for rank in range(PROCESSES)]
    return launch(files, script, what, str(folder), *words)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="session")
def death() -> int:
    """Return the step at which both processes are killed: another one each time."""
    return random.SystemRandom().randrange(SAVED[0], STEPS)


@pytest.fixture(scope="session")
def whole(folder: Path, death: int) -> Results:
    """Return the results of the uninterrupted runs, which leave checkpoints in the folder."""
    results, output = _launch(SCRIPT, folder, "whole", str(death))
    assert "exitcode  : -9" in output, output
    return results


@pytest.fixture(scope="session")
def resumed(whole: Results, death: int, folder: Path) -> Results:
    """Return the final weights of new processes that go on from the checkpoints."""
    *_, last = sorted((folder / "killed").glob("checkpoint-*"))
    assert last.name == f"checkpoint-{max(saved for saved in SAVED if saved <= death)}"
    (folder / "last").write_text(str(last))
    results, _ = _launch(SCRIPT, folder, "resumed")
    return results


def test_table_of_cases_is_whole() -> None:
    assert len(CASES) == 12
    assert sum(case.like_one for case in CASES.values()) == 10


@pytest.mark.parametrize("name", CASES)
def test_processes_hold_the_same_weights_at_every_step(name: str, whole: Results) -> None:
    first, second = (results[name] for results in whole)
    assert first["weights"] == second["weights"] == [0.0] * STEPS
    assert first["trainable"] == second["trainable"]
    # The schedule froze and thawed on both: at each step exactly the trainable weights moved.
    assert len(first["moved"]) == len(first["trainable"]) == STEPS
    for moved, trainable in zip(first["moved"], first["trainable"], strict=True):
        weights = {name for name in moved if "running_" not in name and "num_batches" not in name}
        assert weights == set(trainable)
    changes = zip(first["trainable"], first["trainable"][1:], strict=False)
    assert 1 + sum(before != after for before, after in changes) == CASES[name].trainable


def test_batchnorm_statistics_differ_only_where_they_train(whole: Results) -> None:
    """Between steps each process holds the statistics of its own batch.

    DistributedDataParallel hands those of the first process to all before each forward pass, and
    Trainer saves those of the first, so they agree again wherever they are used.
    """
    for results in whole:
        buffers = results["resnet lp_ft"]["buffers"]
        assert buffers[: STEPS // 2] == [0.0] * (STEPS // 2)
        assert all(gap > 0 for gap in buffers[STEPS // 2 :])


@pytest.mark.parametrize("name", CASES)
def test_both_processes_keep_one_average(name: str, whole: Results) -> None:
    first, second = (results[name]["final"] for results in whole)
    averaged = [key for key in first if key.startswith(AVERAGED)]
    assert averaged and all(torch.equal(first[key], second[key]) for key in averaged)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.like_one])
def test_two_processes_end_as_one_with_the_doubled_batch(
    name: str, whole: Results, tmp_path: Path
) -> None:
    alone = train(CASES[name], tmp_path, 1)
    first, final = whole[0][name]["first"], whole[0][name]["final"]
    assert max(float((final[key] - first[key]).abs().max()) for key in first) > 1e-2
    torch.testing.assert_close(final, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_resume_is_bit_exact(name: str, whole: Results, resumed: Results) -> None:
    for before, after in zip(whole, resumed, strict=True):
        assert not changed(before[name]["final"], after[name])


def test_resume_after_both_processes_were_killed(
    whole: Results, death: int, resumed: Results
) -> None:
    for before, after in zip(whole, resumed, strict=True):
        assert not changed(before[KILLED]["final"], after["killed"]), f"killed at step {death}"


def test_a_failing_process_fails_the_test_with_its_output(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "if os.environ['RANK'] == '1':\n"
        "    raise SystemExit('the second process is lost')\n"
        "pathlib.Path(sys.argv[2], 'some-0.pt').touch()\n"
    )
    with pytest.raises(pytest.fail.Exception, match="the second process is lost"):
        _launch(script, tmp_path, "some")
