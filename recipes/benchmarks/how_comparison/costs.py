"""What a step of a way costs: time and memory, with nothing beside it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from measured.process import in_child, peak_mib
from tuning.lines import Lines

from how_comparison.arms import Arm, Trial
from how_comparison.settings import PROCESSOR, Settings

__all__ = ["measure_costs"]

_FEW_STEPS, _MANY_STEPS = 3, 18
_REPEATS = 3
_EVALUATED = 32


def measure_costs(
    arms: Sequence[Arm], lines: Lines, settings: Settings, say: Callable[[str], None]
) -> None:
    """Measure what the results lack: the time of steps as the difference of two trainings.

    On processor cores each way has a process of its own, whose largest resident memory above that
    before the first training counts; on an accelerator it is what tensors took at most.

    Args:
        arms: ways at places.
        lines: the results.
        settings: of all trainings.
        say: takes a line of progress.
    """
    for arm in arms:
        key = ("cost", arm.place.dataset, settings.device, arm.way.name)
        if key in lines:
            continue
        rates = arm.way.rates[arm.place.target.kind]
        trial = Trial(arm.place, arm.way.name, min(rates), 1.0, 0)
        alone = settings.device == PROCESSOR
        found = in_child(_send_cost, trial, settings) if alone else _cost(trial, settings)
        if found is None:
            say(f"failed: {' '.join(key)}")
            continue
        lines.add(key, found)
        spent = median(found["milliseconds"])
        say(f"{' '.join(key)}: {spent:.1f} ms a step, {found['mib']:.0f} MiB")


def _send_cost(trial: Trial, settings: Settings, answer: Connection) -> None:
    answer.send(_cost(trial, settings))


def _cost(trial: Trial, settings: Settings) -> dict[str, Any]:
    from how_comparison.training import read_place, train_on
    from how_comparison.workers import set_up

    set_up()
    data, prepared = read_place(trial.place, settings)
    evaluated = {
        role: rows if role == "train" else list(rows)[:_EVALUATED]
        for role, rows in prepared.splits.items()
    }
    few = replace(prepared, splits=evaluated)
    before = peak_mib()

    def seconds(steps: int) -> tuple[float, float]:
        place = replace(trial.place, steps=steps)
        result = train_on(replace(trial, place=place), settings, data, few)
        gc.collect()
        return result["seconds"], result.get("gpu_mib", 0.0)

    seconds(_FEW_STEPS)  # what only a first training pays for
    spent, most = [], 0.0
    for _ in range(_REPEATS):
        short, _ = seconds(_FEW_STEPS)
        long, on_gpu = seconds(_MANY_STEPS)
        spent.append(1e3 * (long - short) / (_MANY_STEPS - _FEW_STEPS))
        most = max(most, on_gpu)
    return {"milliseconds": spent, "mib": most or peak_mib() - before}
