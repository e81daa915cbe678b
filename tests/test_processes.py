"""Processes that run against those that were asked for; two processes train like one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hf_transfer_plugin import RunResult, require_processes, run
from hf_transfer_plugin.errors import LaunchError
from hf_transfer_plugin.processes import end_processes, is_first, of_first, wait_for_all, world_size
from tests.train.settings import BEST_AT_THE_END, text_setting

ROOT = Path(__file__).parents[1]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
LAUNCH = "python accelerate launch"


class Above:
    """A process above this one."""

    def __init__(self, line: str | None) -> None:
        self._line = line

    def cmdline(self) -> list[str]:
        if self._line is None:
            raise psutil.AccessDenied
        return self._line.split()


# name -> (command lines above this process, WORLD_SIZE, asked of the config, processes or None)
LAUNCHERS: dict[str, tuple[list[str | None], str | None, int | None, int | None]] = {
    "alone": (["bash"], None, None, 1),
    "alone, one asked": (["bash"], None, 1, 1),
    "alone, two asked": (["bash"], None, 2, None),
    "torchrun": (["torchrun --nproc_per_node 2 s.py"], "2", None, 2),
    "torchrun, three asked": (["torchrun --nproc_per_node 2 s.py"], "2", 3, None),
    "accelerate": ([f"{LAUNCH} --multi_gpu --num_processes 2 s.py"], "2", None, 2),
    "accelerate on a CPU": ([f"{LAUNCH} --cpu --num_processes 2 s.py"], None, None, None),
    "with an equals sign": ([f"{LAUNCH} --cpu --num_processes=2 s.py"], None, None, None),
    "with dashes": ([f"{LAUNCH} --cpu --num-processes 2 s.py"], None, None, None),
    "further up": (["bash", f"{LAUNCH} --num_processes 2 s.py"], None, None, None),
    "out of sight": ([None, f"{LAUNCH} --num_processes 2 s.py"], None, None, None),
    "as a module": (
        ["python -m accelerate.commands.accelerate_cli launch --num_processes 2 s.py"],
        None,
        None,
        None,
    ),
    "one": ([f"{LAUNCH} --num_processes 1 s.py"], None, None, 1),
    "not said": ([f"{LAUNCH} s.py"], None, None, 1),
    "no number": ([f"{LAUNCH} --num_processes many s.py"], None, None, 1),
    "another command": (["python accelerate test --num_processes 2"], None, None, 1),
    "the config decides": ([f"{LAUNCH} --num_processes 2 s.py"], None, 1, 1),
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_require_processes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(LAUNCHERS) == 17
    above, size, asked, expected = LAUNCHERS[name]
    monkeypatch.setattr(psutil.Process, "parents", lambda _: [Above(line) for line in above])
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size is not None:
        monkeypatch.setenv("WORLD_SIZE", size)
    if expected is not None:
        assert require_processes(asked) == expected
        return
    with pytest.raises(LaunchError) as caught:
        require_processes(asked)
    wanted = asked or 2
    running = "2 processes running" if size else "1 process running"
    assert caught.value.arrived == running
    assert caught.value.expected == f"{wanted}, as asked for"
    assert f"--multi_gpu --num_processes {wanted} " in caught.value.action
    assert f"torchrun --nproc_per_node {wanted} " in caught.value.action


def test_alone_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert (world_size(), is_first(), of_first("mine")) == (1, True, "mine")
    wait_for_all()
    end_processes()
    monkeypatch.setenv("RANK", "1")
    assert not is_first()


def _launch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )


def test_two_processes_keep_the_same_best_model(tmp_path: Path) -> None:
    """Each process has to find the best checkpoint, which only the first one has written."""
    # A small batch, so that both processes predict; the largest loss is not that of the last epoch.
    changed = {"per_device_eval_batch_size": 4, "greater_is_better": True, "learning_rate": 1e-3}
    training = BEST_AT_THE_END | changed
    plan = text_setting(tmp_path).plan(training=training, seeds=(1,))
    file = plan.save(tmp_path / "plan.json")
    script = str(ROOT / "tests" / "train" / "process_run.py")
    one = run(plan, results=tmp_path / "1.json", model_dir=tmp_path / "m1")
    done = _launch(tmp_path, *TORCHRUN, script, str(file))
    assert done.returncode == 0, done.stderr
    two = RunResult.load(tmp_path / "2.json")
    assert (one.world_size, two.world_size) == (1, 2)
    first, second = one.seeds[0], two.seeds[0]
    best = max(second.curve, key=lambda point: point.validation_loss)
    assert best.step < second.curve[-1].step  # or nothing would be told from the last
    assert best.validation == second.validation["accuracy"] != second.curve[-1].validation
    assert first.predictions == second.predictions
    assert first.confidences == pytest.approx(second.confidences, abs=0.05)
    assert first.curve[0].train_loss == pytest.approx(second.curve[0].train_loss, abs=1e-3)
    assert len(list(tmp_path.glob("heard-2-*"))) == 2
    assert {heard.read_text() for heard in tmp_path.glob("heard-*")} == {"first"}


def test_a_mistake_under_two_processes_is_told_without_a_trace(tmp_path: Path) -> None:
    done = _launch(tmp_path, *TORCHRUN, "-m", "hf_transfer_plugin.cli", "run", "gone.yaml")
    assert done.returncode != 0
    assert "error: cannot read gone.yaml" in done.stderr
    assert "terminate called" not in done.stderr
    # torchrun shows a trace of its own, and in it the exit code of each process.
    assert "exitcode  : 2" in done.stderr and "in _ending" not in done.stderr
