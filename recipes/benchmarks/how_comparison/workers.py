"""Trials in several processes at once; one process writes the results."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, Protocol

from tuning.lines import Lines

__all__ = ["HasTrials", "Keyed", "set_up", "train_all"]

Say = Callable[[str], None]


class Keyed(Protocol):
    """A training, as far as its result is looked up."""

    @property
    def key(self) -> tuple[str, ...]:
        """Return the key of its result."""


class HasTrials(Protocol):
    """What is trained with several seeds."""

    def wanted(self, lines: Lines, seeds: int) -> Sequence[Keyed]:
        """Return what can be trained now."""


def train_all(
    arms: Sequence[HasTrials],
    seeds: int,
    lines: Lines,
    settings: Any,
    say: Say,
    train: Callable[[Any, Any], dict[str, Any]],
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
        train: (trial, settings) -> what one training gave.
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
    running: dict[Future[dict[str, Any]], Keyed] = {}
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
    arms: Sequence[HasTrials], seeds: int, lines: Lines, taken: set[tuple[str, ...]]
) -> Keyed | None:
    for arm in arms:
        for trial in arm.wanted(lines, seeds):
            if trial.key not in taken:
                return trial
    return None


def _keep(trial: Keyed, result: dict[str, Any], lines: Lines, say: Say) -> None:
    lines.add(trial.key, result)
    said = f"validation {result['validation']:.3f}, test {result['test']:.3f}"
    say(f"{' '.join(trial.key[1:])}: {said}, {result['seconds']:.0f} s")


def set_up() -> None:
    """Make ready a process that trains: its threads, and no report of each fresh head."""
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
