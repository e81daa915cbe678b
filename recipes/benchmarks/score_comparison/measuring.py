"""One score in a fresh process, timed beside the singular value decomposition of its table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from measured.process import peak_mib

__all__ = ["Size", "measure_in_child", "planted"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.intp]]
SIGNAL = 0.1


@dataclass(frozen=True)
class Size:
    """The size of the table that is scored."""

    examples: int
    dimensions: int
    classes: int


def planted(size: Size, signal: float, seed: int) -> tuple[Floats, Integers]:
    """Return features [examples, dimensions] with class means `signal` apart in unit noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(size.examples) % size.classes)
    table = rng.normal(size=(size.examples, size.dimensions))
    table += signal * rng.normal(size=(size.classes, size.dimensions))[labels]
    return table, labels


def measure_in_child(score: str, repeat: int, size: Size, sender: Connection) -> None:
    """Send the seconds of the decomposition and of the score, and the score itself.

    Args:
        score: its name.
        repeat: seed of the table.
        size: of the table.
        sender: where the answer goes.
    """
    from hf_transfer_plugin.select.scores import SCORES

    table, labels = planted(size, SIGNAL, repeat)
    # What is imported or set up on first use is not measured.
    few = planted(Size(4 * size.classes, 8, size.classes), SIGNAL, repeat)
    if SCORES[score].needs == "source_probabilities":
        table = _softmax(table)
        few = (_softmax(few[0]), few[1])
    np.linalg.svd(few[0], full_matrices=False)
    SCORES[score](*few)
    svd = _timed(lambda: np.linalg.svd(table, full_matrices=False))
    own = _timed(lambda: SCORES[score](table, labels))
    sender.send(
        {
            "svd_seconds": svd[1],
            "svd_processor_seconds": svd[2],
            "seconds": own[1],
            "processor_seconds": own[2],
            "value": own[0],
            "peak_mib": peak_mib(),
        }
    )


def _timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    answer = call()
    return answer, time.perf_counter() - wall, time.process_time() - processor


def _softmax(table: Floats) -> Floats:
    raised = np.exp(table - table.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
