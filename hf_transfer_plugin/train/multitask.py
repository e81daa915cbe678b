"""All seeds of a multitask plan, resumable after each; a model for each task is kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.adapt.multitask_checks import check_names, check_way
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.metrics import check_metric
from hf_transfer_plugin.multitask_records import MultitaskPlan, MultitaskResult
from hf_transfer_plugin.processes import is_first, wait_for_all, world_size
from hf_transfer_plugin.records import RunResult, SeedResult

if TYPE_CHECKING:
    from hf_transfer_plugin.train.multitask_training import TrainedTasks

__all__ = ["check_tasks", "run_multitask"]

_log = logging.getLogger(__name__)


def run_multitask(
    plan: MultitaskPlan,
    *,
    results: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    data: Mapping[str, TargetData] | None = None,
    logs_dir: str | os.PathLike[str] | None = None,
) -> MultitaskResult:
    """Train several tasks on one network with each seed, through `transformers.Trainer`.

    An epoch reads as many rows as all tasks hold together, so that a plan has the steps of its
    tasks alone together. With a grid of learning rates, the first seed tries each, and the mean
    of the tasks' metric on validation chooses.

    Args:
        plan: what to train.
        results: JSON file that is written after each seed; a run that stopped goes on from it.
        model_dir: takes a folder for each task, with the weights of the best seed.
        data: task -> its data, when they are loaded already.
        logs_dir: folder for what `report_to: tensorboard` writes, in WAY/seed-N.

    Raises:
        ConfigError: for tasks, ways or training arguments that do not fit.
        DataError: for data that cannot be learned from.
        CheckpointError: when the checkpoint cannot be loaded.
        ScheduleError: when the schedule does not fit the model.
    """
    from hf_transfer_plugin.train.arguments import check_training

    check_metric(plan.metric)
    _check_plan(plan)
    check_training(plan.training, plan.batch_size)
    data = data or {name: load_data(spec, plan.task) for name, spec in plan.tasks.items()}
    check_tasks(data)
    path = Path(results) if results is not None else None
    folder = Path(model_dir) if model_dir is not None else None
    done = _earlier(plan, data, path, folder)
    # Nobody writes before everybody has looked, or they would go on from different seeds.
    wait_for_all()
    trained_seeds = len(_seeds(done))
    if done is not None and trained_seeds == len(plan.seeds):
        _log.info("%s: all %d seeds are there already", plan.way.name, trained_seeds)
        return done
    logs = Path(logs_dir) if logs_dir is not None else None
    return _train(plan, data, done, path, folder, logs)


def check_tasks(data: Mapping[str, TargetData]) -> None:
    """Check that tasks can share one network.

    Raises:
        ConfigError: for tasks of different modalities, or images of different sizes.
    """
    for what, found in (
        ("modality", {name: each.task for name, each in data.items()}),
        ("data.image_size", {name: each.spec.image_size for name, each in data.items()}),
    ):
        if len(set(found.values())) > 1:
            raise ConfigError(
                arrived="tasks that differ in "
                + what
                + ": "
                + ", ".join(f"{name} ({value})" for name, value in found.items()),
                expected="one for all: they are read by one network",
                action="leave the others out, or give them the same",
            )


def _check_plan(plan: MultitaskPlan) -> None:
    check_names(list(plan.tasks))
    check_way(plan.way)
    if "train_sampling_strategy" in plan.training:
        raise ConfigError(
            arrived="training.train_sampling_strategy is set",
            expected="`ways`, which say how rows of several tasks are sampled",
            action="remove the key",
        )
    if plan.adapter is not None and not plan.adapter.is_merged:
        raise ConfigError(
            arrived=f"adapter {plan.adapter.name}, kept beside the network",
            expected="an adapter that is merged: a task's folder holds a whole network",
            action="choose one that merges, such as lora, and leave keep out",
        )


def _train(
    plan: MultitaskPlan,
    data: Mapping[str, TargetData],
    done: MultitaskResult | None,
    path: Path | None,
    folder: Path | None,
    logs: Path | None,
) -> MultitaskResult:
    from hf_transfer_plugin.train.multitask_training import prepare_tasks, train_tasks

    joint = prepare_tasks(plan, data)
    for seed in plan.seeds[len(_seeds(done)) :]:
        if done is None and plan.learning_rates:
            tried = {
                f"{rate:g}": train_tasks(plan, seed, rate, joint, logs)
                for rate in plan.learning_rates
            }
            grid = {rate: each.mean for rate, each in tried.items()}
            trained = max(tried.values(), key=lambda each: each.mean)
        else:
            grid = dict(done.grid) if done else {}
            rate = _seeds(done)[0].learning_rate if done else None
            trained = train_tasks(plan, seed, rate, joint, logs)
        done = _extended(plan, data, done, trained, grid)
        if folder is not None and done.best_seed == seed:
            for name in plan.tasks:
                keep_model(partial(trained.save, name), folder / name)
        if path is not None and is_first():
            done.save(path)
        wait_for_all()
        _log.info("%s: seed %d, %s", plan.way.name, seed, _reached(plan, trained))
    assert done is not None
    return done


def _reached(plan: MultitaskPlan, trained: TrainedTasks) -> str:
    scores = (f"{name} {each.test[plan.metric]:.4f}" for name, each in trained.results.items())
    return f"test {plan.metric}: {', '.join(scores)}"


def _seeds(done: MultitaskResult | None) -> tuple[SeedResult, ...]:
    """Return the seeds of any task: all have the same."""
    return next(iter(done.results.values())).seeds if done else ()


def _extended(
    plan: MultitaskPlan,
    data: Mapping[str, TargetData],
    done: MultitaskResult | None,
    trained: TrainedTasks,
    grid: Mapping[str, float],
) -> MultitaskResult:
    before = done.results if done else {}
    grown = {
        name: ((*before[name].seeds, seed) if before else (seed,))
        for name, seed in trained.results.items()
    }
    # The same seed of all tasks, and the sum of what they reached: max keeps the first of equals.
    together = list(zip(*grown.values(), strict=True))
    chosen = max(together, key=lambda seed: sum(each.validation[plan.metric] for each in seed))
    best = chosen[0].seed
    is_best = chosen is together[-1]
    results = {
        name: RunResult(
            plan=plan.of_task(name, plan.way.name),
            class_names=data[name].class_names,
            labels=data[name].labels("test"),
            seeds=grown[name],
            trainable_parameters=trained.trainable_parameters,
            parameters=trained.parameters,
            world_size=world_size(),
            grid=grid,
            best_seed=best,
            data=data[name].summary.fingerprint,
            groups=trained.groups,
            transitions=trained.transitions if is_best else before[name].transitions,
            model_type=trained.model_type,
        )
        for name in plan.tasks
    }
    conflicts = (*(done.conflicts if done else ()), trained.conflicts)
    return MultitaskResult(plan, results, conflicts, grid, best)


def _earlier(
    plan: MultitaskPlan, data: Mapping[str, TargetData], path: Path | None, folder: Path | None
) -> MultitaskResult | None:
    """Return what an earlier run of the very same plan on the same data has left."""
    if path is None or not path.is_file():
        return None
    found = MultitaskResult.load(path)
    same = replace(found.plan, seeds=()) == replace(plan, seeds=())
    prints = {name: each.data for name, each in found.results.items()}
    known = tuple(each.seed for each in _seeds(found))
    if not same or prints != {name: each.summary.fingerprint for name, each in data.items()}:
        return None
    if not known or known != plan.seeds[: len(known)]:
        return None
    if folder is not None and not all((folder / n / "config.json").is_file() for n in plan.tasks):
        return None
    return replace(found, plan=plan)
