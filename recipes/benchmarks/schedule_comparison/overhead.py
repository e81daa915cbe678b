"""What the callback costs: the same steps by Trainers with and without it, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from hf_transfer_plugin import FreezingCallback, FreezingSchedule
from schedule_comparison.job import Job
from schedule_comparison.schedule import DECAY
from schedule_comparison.with_trainer import trainer_of

__all__ = ["compare_step_times"]

BARE = "bare"


class _Clock:
    """Times each step, from one forward pass to the next."""

    def __init__(self, model: Any) -> None:
        self._wall: list[float] = []
        self._processor: list[float] = []
        model.register_forward_pre_hook(lambda *_: self._note())

    def _note(self) -> None:
        self._wall.append(time.perf_counter())
        self._processor.append(time.process_time())

    def steps(self) -> tuple[list[float], list[float]]:
        """Return the seconds of each step since the last call: on the wall, of the processor."""
        both = _differences(self._wall), _differences(self._processor)
        self._wall, self._processor = [], []
        return both


def compare_step_times(job: Job) -> dict[str, Any]:
    """Train A B C, B C A, C A B, ... on the same batches, everything trainable in all of them.

    Steps are compared batch by batch; a repeat gives the median of their ratios to the bare
    Trainer's. The first repeat warms up and is left out.

    Args:
        job: its `run.repeats` says how often.

    Returns:
        variant -> its ratio in each repeat, by wall and by processor time, and seconds a step.
    """
    variants = {
        BARE: [],
        "callback": [FreezingCallback(FreezingSchedule.full())],
        "callback with rates": [FreezingCallback(FreezingSchedule.full().with_rates(decay=DECAY))],
    }
    trainers = {name: trainer_of(job, *callbacks) for name, callbacks in variants.items()}
    names = list(trainers)
    clock = _Clock(job.model)
    ratios: dict[str, list[list[float]]] = {name: [[], []] for name in variants if name != BARE}
    seconds: list[float] = []
    for repeat in range(job.run.repeats + 1):
        times = {}
        first = repeat % len(trainers)
        for name in [*names[first:], *names[:first]]:
            trainers[name].train()
            times[name] = clock.steps()
        if repeat == 0:
            continue
        seconds.append(statistics.median(times[BARE][0]))
        for name, kinds in ratios.items():
            for kind, bare, own in zip(kinds, times[BARE], times[name], strict=True):
                kind.append(statistics.median(b / a for a, b in zip(bare, own, strict=True)))
    return {
        "step_seconds": statistics.median(seconds),
        "steps": len(times[BARE][0]),
        "wall": {name: kinds[0] for name, kinds in ratios.items()},
        "processor": {name: kinds[1] for name, kinds in ratios.items()},
    }


def _differences(moments: Sequence[float]) -> list[float]:
    return [after - before for before, after in zip(moments, moments[1:], strict=False)]
