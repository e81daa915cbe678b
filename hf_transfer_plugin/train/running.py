"""All seeds of a plan, resumable after each; the weights of the best seed are kept."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.metrics import check_metric
from hf_transfer_plugin.processes import is_first, wait_for_all, world_size
from hf_transfer_plugin.records import Plan, RunResult
from hf_transfer_plugin.serialization import cannot_write
from hf_transfer_plugin.train.baselines import BASELINE_PREFIX, run_baseline

if TYPE_CHECKING:
    from hf_transfer_plugin.train.training import Trained

__all__ = ["run"]

_log = logging.getLogger(__name__)


def run(
    plan: Plan,
    *,
    results: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    data: TargetData | None = None,
) -> RunResult:
    """Train a plan with each of its seeds, through `transformers.Trainer`.

    With a grid of learning rates, the first seed tries each and validation chooses; the test
    split is read once per seed, after training.

    Args:
        plan: what to train.
        results: JSON file that is written after each seed; a run that stopped goes on from it.
        model_dir: folder for the weights of the seed with the best validation metric.
        data: the plan's data when they are loaded already.

    Raises:
        DataError: for data that cannot be learned from.
        CheckpointError: when the checkpoint cannot be loaded.
        ScheduleError: when the schedule does not fit the model.
        ConfigError: for training arguments or a metric that do not exist.
        LaunchError: when the batch cannot be divided among the processes.
        RecordError: when a result or the model cannot be written.
    """
    check_metric(plan.metric)
    if not plan.seeds or len(set(plan.seeds)) < len(plan.seeds):
        raise ConfigError(
            arrived=f"seeds {list(plan.seeds)}",
            expected="at least one seed, each once",
            action="correct `seeds`",
        )
    data = data or load_data(plan.data, plan.task)
    done = _earlier(plan, data, results, model_dir)
    # Nobody writes before everybody has looked, or they would go on from different seeds.
    wait_for_all()
    if done is not None and len(done.seeds) == len(plan.seeds):
        _log.info("%s: all %d seeds are there already", plan.name, len(plan.seeds))
        return done
    if plan.checkpoint.startswith(BASELINE_PREFIX):
        done = run_baseline(plan, data, done)
        _store(done, results)
        return done
    return _train_seeds(plan, data, done, results, model_dir)


def _train_seeds(
    plan: Plan,
    data: TargetData,
    done: RunResult | None,
    results: str | os.PathLike[str] | None,
    model_dir: str | os.PathLike[str] | None,
) -> RunResult:
    from hf_transfer_plugin.train.arguments import check_training
    from hf_transfer_plugin.train.training import prepare, train_once

    check_training(plan.training, plan.batch_size)
    checkpoint, prepared = prepare(plan, data)

    def attempt(seed: int, rate: float | None) -> Trained:
        return train_once(plan, seed, rate, data, checkpoint, prepared)

    for seed in plan.seeds[len(done.seeds) if done else 0 :]:
        if done is None and plan.learning_rates:
            trained, grid = _best_of_grid(plan, partial(attempt, seed))
        else:
            grid = dict(done.grid) if done else {}
            trained = attempt(seed, done.seeds[0].learning_rate if done else None)
        done = _extended(plan, data, done, trained, grid)
        if done.best_seed == seed and model_dir is not None:
            _keep(trained, Path(model_dir))
        _store(done, results)
        score = trained.result.test[plan.metric]
        _log.info("%s: seed %d, test %s %.4f", plan.name, seed, plan.metric, score)
    assert done is not None
    return done


def _best_of_grid(
    plan: Plan, attempt: Callable[[float], Trained]
) -> tuple[Trained, dict[str, float]]:
    """Try each rate and keep the one with the best validation; two models are held at most."""
    grid: dict[str, float] = {}
    best = None
    for rate in plan.learning_rates:
        trained = attempt(rate)
        grid[f"{rate:g}"] = trained.result.validation[plan.metric]
        if best is None or grid[f"{rate:g}"] > best.result.validation[plan.metric]:
            best = trained
    assert best is not None
    return best, grid


def _extended(
    plan: Plan, data: TargetData, done: RunResult | None, trained: Trained, grid: dict[str, float]
) -> RunResult:
    seeds = (*(done.seeds if done else ()), trained.result)
    # max keeps the first of equals.
    best = max(seeds, key=lambda each: each.validation[plan.metric])
    is_best = best is trained.result
    return RunResult(
        plan=plan,
        class_names=data.class_names,
        labels=data.labels("test"),
        seeds=seeds,
        trainable_parameters=trained.trainable_parameters,
        parameters=trained.parameters,
        world_size=world_size(),
        grid=grid,
        best_seed=best.seed,
        data=data.summary.fingerprint,
        groups=trained.groups,
        transitions=done.transitions if done and not is_best else trained.transitions,
    )


def _earlier(
    plan: Plan,
    data: TargetData,
    results: str | os.PathLike[str] | None,
    model_dir: str | os.PathLike[str] | None,
) -> RunResult | None:
    """Return what an earlier run of the very same plan on the same data has left."""
    if results is None or not Path(results).is_file():
        return None
    found = RunResult.load(results)
    same = replace(found.plan, seeds=()) == replace(plan, seeds=())
    known = tuple(each.seed for each in found.seeds)
    if not same or found.data != data.summary.fingerprint or known != plan.seeds[: len(known)]:
        return None
    if model_dir is not None and not (Path(model_dir) / "config.json").is_file():
        return None
    return replace(found, plan=plan) if known else None


def _store(result: RunResult, path: str | os.PathLike[str] | None) -> None:
    if path is not None and is_first():
        result.save(path)
    wait_for_all()


def _keep(trained: Trained, folder: Path) -> None:
    """Put the model where the last best one was, whole or not at all."""
    if is_first():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
            try:
                trained.save(fresh)
                os.chmod(fresh, 0o755)
                if folder.is_dir():
                    shutil.rmtree(folder)
                os.replace(fresh, folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        except OSError as error:
            raise cannot_write(f"the model to {folder}", error) from None
    wait_for_all()
