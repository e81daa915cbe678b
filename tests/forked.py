"""Processes forked from one that has imported everything, and torchrun in such a process.

A process of its own that imports torch and transformers needs seconds before it does anything.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest
import torch

__all__ = ["Torchrun", "start_server"]

ROOT = Path(__file__).parents[1]
_PRELOADED = (
    "pytest",
    "tests.callbacks.killed_runs",
    "tests.callbacks.prefix_killed",
    "tests.callbacks.objective_two_process_script",
    "tests.callbacks.watched_two_process_script",
)
_FORKED = multiprocessing.get_context("forkserver")
_started: list[int] = []


def start_server() -> BaseContext:
    """Start the process that children are forked from, once; it ends with this one.

    Returns:
        The context whose processes are such children.
    """
    server = forkserver._forkserver  # type: ignore[attr-defined]
    if server._forkserver_pid in _started:
        return _FORKED
    server._stop()  # one that other tests started has imported other things
    _FORKED.set_forkserver_preload(list(_PRELOADED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        forkserver.ensure_running()
    _started.append(server._forkserver_pid)
    return _FORKED


class Torchrun:
    """A script under torchrun, with all its processes forked.

    Args:
        log: file for all that its processes say.
        script: run in each process.
        words: arguments of the script.
        processes: how many.
    """

    def __init__(self, log: Path, script: Path, *words: str, processes: int) -> None:
        self._log = log
        command = ["--standalone", "--nproc_per_node", str(processes), "--run-path"]
        command += ["--start-method", "fork", str(script), *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        arguments = (log, environment, command)
        self._process = _FORKED.Process(target=_torchrun, args=arguments)
        start_server()
        self._process.start()

    def heard(self, words: str, timeout: float = 60) -> str:
        """Return the first line that holds these words, as soon as it is said."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            lines = self._log.read_text().splitlines() if self._log.exists() else []
            if found := [line for line in lines if words in line]:
                return found[0]
            time.sleep(0.05)
        pytest.fail(f"nobody said {words!r}:\n{self.output(0)}")

    def output(self, timeout: float) -> str:
        """Return what was said until the end; processes that wait for ever end, too."""
        self._process.join(timeout)
        with suppress(ProcessLookupError):
            assert self._process.pid is not None
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        return self._log.read_text()


def _torchrun(log: Path, environment: Mapping[str, str], command: list[str]) -> None:
    from torch.distributed.run import main

    os.setsid()
    os.environ.update(environment)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, sys.stdout.fileno())
    os.dup2(file, sys.stderr.fileno())
    torch.set_num_threads(1)
    gc.freeze()  # or Trainer's gc.collect() would copy all memory that is shared with the server
    main(command)
