"""One trial: a plan of the package, trained as the package trains it."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from tuning.training import in_memory

from hf_transfer_plugin import FreezingSchedule
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, load_data
from hf_transfer_plugin.data import prepare as prepare_data
from hf_transfer_plugin.records import Adapter, Objective, Plan
from hf_transfer_plugin.train.training import train_once
from how_comparison.arms import Trial
from how_comparison.places import Place
from how_comparison.settings import Settings
from how_comparison.ways import HEAD, Method, adapter_ways, objective_ways

__all__ = ["plan_of", "read_place", "train", "train_on"]


def plan_of(trial: Trial, settings: Settings) -> Plan:
    """Return the plan of a trial."""
    way = _ways()[trial.way]
    place = trial.place
    objective = way.objective_config(trial.strength)
    return Plan(
        name=trial.way,
        task=place.target.task,
        checkpoint=place.target.checkpoint,
        data=place.spec(
            f"{settings.data}/{place.dataset}", settings.max_length, settings.image_size
        ),
        schedule=FreezingSchedule.from_config(way.schedule).phases,
        adapter=None if way.adapter is None else Adapter.from_config(way.adapter),
        objective=None if objective is None else Objective.from_config(objective),
        training={
            "max_steps": place.steps,
            "learning_rate": trial.rate,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.1,
            "weight_decay": 0.0,
            "eval_strategy": "no",
            "logging_strategy": "no",
        },
        batch_size=settings.batch,
    )


def train(trial: Trial, settings: Settings) -> dict[str, Any]:
    """Train and test on the rows of the trial's place; see `train_on`.

    Where the head alone trains, what it reads is computed once.
    """
    place = read_place(trial.place, settings)
    return train_on(trial, settings, *place, cached=trial.way == HEAD)


def train_on(
    trial: Trial, settings: Settings, data: TargetData, prepared: Prepared, *, cached: bool = False
) -> dict[str, Any]:
    """Train and test; what it gives is JSON.

    Returns:
        "validation" and "test" accuracy, "trainable" weights of the last phase, all "parameters",
        "adapter_bytes" (0 without adapter), "seconds", "device", and "gpu_mib", the most that
        tensors took on an accelerator.
    """
    began = time.perf_counter()
    plan = replace(plan_of(trial, settings), prefix_cache=cached)
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    trained = train_once(plan, trial.seed, None, data, Checkpoint(plan.checkpoint), prepared)
    found = {
        "validation": trained.result.validation["accuracy"],
        "test": trained.result.test["accuracy"],
        "trainable": trained.trainable_parameters,
        "parameters": trained.parameters,
        "adapter_bytes": trained.adapter_bytes,
        "seconds": time.perf_counter() - began,
        "device": settings.device,
    }
    if on_gpu:
        found["gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return found


def read_place(place: Place, settings: Settings) -> tuple[TargetData, Prepared]:
    """Return the rows of a place, in memory as networks take them."""
    return _read(place.dataset, place.share, settings)


@lru_cache(maxsize=4)
def _read(dataset: str, share: int, settings: Settings) -> tuple[TargetData, Prepared]:
    place = Place(dataset, share, 0)
    spec = place.spec(f"{settings.data}/{place.dataset}", settings.max_length, settings.image_size)
    data = load_data(spec, place.target.task)
    prepared = prepare_data(Checkpoint(place.target.checkpoint), data)
    rows: dict[str, Any] = {role: in_memory(prepared, role) for role in prepared.splits}
    return data, replace(prepared, splits=rows)


@lru_cache(maxsize=1)
def _ways() -> dict[str, Method]:
    return objective_ways() | adapter_ways()
