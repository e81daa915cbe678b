"""Trials in several processes at once; one process writes the results."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

from tuning.lines import Lines

from how_comparison.arms import Arm, Trial
from how_comparison.settings import Settings
from how_comparison.training import train

__all__ = ["set_up", "train_all"]

Say = Callable[[str], None]


def train_all(
    arms: Sequence[Arm],
    seeds: int,
    lines: Lines,
    settings: Settings,
    say: Say,
    *,
    workers: int,
    minutes: float,
) -> None:
    """Train what the results lack, first arms first.

    Args:
        arms: ways at places.
        seeds: of each.
        lines: the results.
        settings: of all trials.
        say: takes a line of progress.
        workers: processes that train at the same time; 1 trains in this one.
        minutes: after which no trial is begun.
    """
    end = time.monotonic() + 60 * minutes
    failed: set[tuple[str, ...]] = set()
    if workers == 1:
        set_up()
        while time.monotonic() < end and (trial := _next(arms, seeds, lines, failed)):
            _keep(trial, train(trial, settings), lines, say)
        return
    context = multiprocessing.get_context("spawn")
    running: dict[Future[dict[str, Any]], Trial] = {}
    with ProcessPoolExecutor(workers, mp_context=context, initializer=set_up) as pool:
        while True:
            while len(running) < workers and time.monotonic() < end:
                taken = failed | {trial.key for trial in running.values()}
                trial = _next(arms, seeds, lines, taken)
                if trial is None:
                    break
                running[pool.submit(train, trial, settings)] = trial
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial = running.pop(future)
                error = future.exception()
                if error is None:
                    _keep(trial, future.result(), lines, say)
                else:
                    failed.add(trial.key)
                    say(f"failed: {' '.join(trial.key)}: {error!r}")


def _next(
    arms: Sequence[Arm], seeds: int, lines: Lines, taken: set[tuple[str, ...]]
) -> Trial | None:
    for arm in arms:
        for trial in arm.wanted(lines, seeds):
            if trial.key not in taken:
                return trial
    return None


def _keep(trial: Trial, result: dict[str, Any], lines: Lines, say: Say) -> None:
    lines.add(trial.key, result)
    said = f"validation {result['validation']:.3f}, test {result['test']:.3f}"
    say(f"{' '.join(trial.key[1:])}: {said}, {result['seconds']:.0f} s")


def set_up() -> None:
    """Make ready a process that trains: its threads, and no report of each fresh head."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
