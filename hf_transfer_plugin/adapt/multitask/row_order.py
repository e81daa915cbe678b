"""Which rows of which task an epoch reads, and in which order: a function of seed and epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.multitask_records import Sampling

__all__ = ["epoch_order", "quotas"]

Integers = NDArray[np.int64]
_ORDER, _ROWS = 0, 1


def quotas(sizes: Sequence[int], sampling: Sampling, temperature: float) -> Integers:
    """Return how many rows of each task an epoch reads [tasks]; together as many as there are.

    Args:
        sizes: training rows of each task.
        sampling: "size": each row once. "temperature": in proportion to rows ** (1 / temperature),
            so 1 is "size" and the greater, the more equal (as multilingual BERT and T5 mix).
            "round_robin": as many of each.
        temperature: from 1 up; read by "temperature" alone.
    """
    rows = np.asarray(sizes, dtype=np.int64)
    if sampling == "size":
        return rows
    if sampling == "round_robin":
        places = np.arange(rows.sum()) % len(rows)
        return np.bincount(places, minlength=len(rows)).astype(np.int64)
    # Over the largest, so that no power overflows.
    weights = (rows / rows.max()) ** (1 / temperature)
    exact = weights / weights.sum() * rows.sum()
    whole: Integers = np.maximum(np.floor(exact), 1).astype(np.int64)
    # The largest remainders get what is left; a task raised to one row has none.
    left = max(int(rows.sum() - whole.sum()), 0)
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return whole


def epoch_order(
    sizes: Sequence[int], sampling: Sampling, temperature: float, seed: int, epoch: int
) -> tuple[Integers, Integers]:
    """Return task and row number of each place of an epoch, two arrays [places].

    The rows of a task come in passes, each a permutation of its own; an epoch goes on where the
    last one stopped, so that no row is read a second time before all were read once. Round robin
    reads one row of each task in turn; the others mix the tasks at random.

    Args:
        sizes: training rows of each task.
        sampling: see `quotas`.
        temperature: see `quotas`.
        seed: of the run.
        epoch: from 0.
    """
    wanted = quotas(sizes, sampling, temperature)
    if sampling == "round_robin":
        tasks = np.arange(wanted.sum()) % len(sizes)
    else:
        mixed = np.random.default_rng((seed, _ORDER, epoch))
        tasks = mixed.permutation(np.repeat(np.arange(len(sizes)), wanted))
    rows = np.empty(len(tasks), dtype=np.int64)
    for task, (size, count) in enumerate(zip(sizes, wanted.tolist(), strict=True)):
        rows[tasks == task] = _rows_of(task, size, epoch * count, count, seed)
    return tasks, rows


def _rows_of(task: int, size: int, start: int, count: int, seed: int) -> Integers:
    """Return `count` row numbers from a place in the endless row of passes over a task."""
    first, last = start // size, (start + count - 1) // size
    passes = [
        np.random.default_rng((seed, _ROWS, task, number)).permutation(size)
        for number in range(first, last + 1)
    ]
    offset = start - first * size
    return np.concatenate(passes)[offset : offset + count].astype(np.int64)
