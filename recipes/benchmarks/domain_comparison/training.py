"""One training of a way at a pair of domains, through the package's own functions."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from domain_comparison.arms import Trial
from domain_comparison.places import places_of
from domain_comparison.pretraining import pretrain, pretrained_folder
from domain_comparison.settings import Settings
from domain_comparison.ways import CEILING, PRETRAINED, ways
from hf_transfer_plugin import controls
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, load_domains, prepare
from hf_transfer_plugin.domain_kinds import Labels
from hf_transfer_plugin.records import DataSpec, Objective, Plan, Task
from hf_transfer_plugin.train import run
from hf_transfer_plugin.train.training import train_once

__all__ = ["plan_of", "train"]

_EVALUATIONS = 6


def plan_of(trial: Trial, settings: Settings) -> Plan:
    """Return the plan of a trial."""
    way, place = ways()[trial.way], trial.place
    group = place.of
    few = way.per_class * group.classes or None
    objective = way.objective_config(trial.strength, place.steps)
    checkpoint = group.checkpoint
    if way.name == PRETRAINED:
        checkpoint = str(pretrained_folder(place, settings))
    plan = Plan(
        name=trial.way,
        task=group.task,
        checkpoint=checkpoint,
        data=place.spec(settings.data, place.target, few, trial.seed if few else 0),
        source=place.spec(settings.data, place.source),
        labels=way.labels,
        adapt_batch_norm=way.adapts_norms,
        choose_by=None if way.name == CEILING else trial.choose_by,  # type: ignore[arg-type]
        schedule=FreezingSchedule.top_layers(trial.blocks or group.layers).phases,
        objective=None if objective is None else Objective.from_config(objective),
        training={
            "max_steps": place.steps,
            "learning_rate": trial.rate,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.1,
            "weight_decay": 0.0,
            "eval_strategy": "steps",
            "eval_steps": max(1, place.steps // _EVALUATIONS),
            "logging_strategy": "no",
        },
        batch_size=group.batch,
        seeds=(trial.seed,),
        watch="off",
    )
    return plan if way.network else controls(plan, ["per-domain-standardised"])[0]


def train(trial: Trial, settings: Settings) -> dict[str, Any]:
    """Train, keep what the criterion chooses, and test on the target; what it gives is JSON.

    Returns:
        "validation": the accuracy on the rows that choose, "choice": what the criterion says,
        "kept_step", "label_free" (criterion -> value at each evaluation), "test" accuracy on the
        target, "seconds" and "device".
    """
    place = trial.place
    if ways()[trial.way].labels == "target":  # no source enters: once for all pairs of a target
        pairs = places_of([place.group], {place.group: place.steps})
        place = next(each for each in pairs if each.target == place.target)
    return _trained(replace(trial, place=place), settings)


@cache
def _trained(trial: Trial, settings: Settings) -> dict[str, Any]:
    way = ways()[trial.way]
    if way.name == PRETRAINED:
        pretrain(trial.place, settings)  # once a target, so its time is not that of a training
    began = time.perf_counter()
    plan = plan_of(trial, settings)
    if way.network:
        data, checkpoint, prepared = _rows(plan)
        result = train_once(plan, trial.seed, None, data, checkpoint, prepared).result
    else:
        result = run(plan).seeds[0]
    return {
        "validation": result.validation["accuracy"],
        "choice": result.validation.get("choice", result.validation["accuracy"]),
        "kept_step": result.kept_step,
        "label_free": [dict(each.label_free) for each in result.curve],
        "test": result.test["accuracy"],
        "seconds": time.perf_counter() - began,
        "device": settings.device,
    }


def _rows(plan: Plan) -> tuple[TargetData, Checkpoint, Prepared]:
    """Return the rows of a plan, with all splits that any plan of these labels reads."""
    named = plan.choose_by is not None
    return _read(plan.task, plan.checkpoint, plan.source, plan.data, plan.labels, named)


@lru_cache(maxsize=2)
def _read(
    task: Task,
    checkpoint: str,
    source: DataSpec | None,
    target: DataSpec,
    labels: Labels,
    chooses: bool,
) -> tuple[TargetData, Checkpoint, Prepared]:
    data = load_domains(source, target, task, labels, label_free=chooses)
    network = Checkpoint(checkpoint)
    return data, network, prepare(network, data, tuple(data.splits))
