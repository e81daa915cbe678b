"""All seeds of a plan, resumable after each; the weights of the best seed are kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hf_transfer_plugin.data import TargetData, plan_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.metrics import check_metric
from hf_transfer_plugin.processes import is_first, wait_for_all, world_size
from hf_transfer_plugin.records import Plan, RunResult
from hf_transfer_plugin.train.against import Against
from hf_transfer_plugin.train.baselines import BASELINE_PREFIX, run_baseline

if TYPE_CHECKING:
    from hf_transfer_plugin.train.training import Trained

__all__ = ["run", "trained_seeds"]

_log = logging.getLogger(__name__)


def run(
    plan: Plan,
    *,
    results: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    seeds_dir: str | os.PathLike[str] | None = None,
    test: bool = True,
    data: TargetData | None = None,
    against: Against | None = None,
    logs_dir: str | os.PathLike[str] | None = None,
) -> RunResult:
    """Train a plan with each of its seeds, through `transformers.Trainer`.

    With a grid of learning rates, the first seed tries each and validation chooses; the test
    split is read once per seed, after training.

    Args:
        plan: what to train.
        results: JSON file that is written after each seed; a run that stopped goes on from it.
        model_dir: folder for the weights of the seed with the best validation metric.
        seeds_dir: folder for the weights of every seed N: seed-N, and in seed-N-start those with
            which the last phase of the schedule began.
        test: read the test split; without it the seeds hold no test metric and no predictions.
        data: the plan's data when they are loaded already.
        against: what the watch holds the run against; no part of the plan, so results that are
            there already stay. None: it sees collapses and broken gradients alone.
        logs_dir: folder for what `report_to: tensorboard` writes, in PLAN/seed-N.

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
    data = data or plan_data(plan)
    places = _Places(
        Path(results) if results is not None else None,
        Path(model_dir) if model_dir is not None else None,
        Path(seeds_dir) if seeds_dir is not None else None,
        test,
        Path(logs_dir) if logs_dir is not None else None,
    )
    done = _earlier(plan, data, places)
    # Nobody writes before everybody has looked, or they would go on from different seeds.
    wait_for_all()
    if done is not None and len(done.seeds) == len(plan.seeds):
        _log.info("%s: all %d seeds are there already", plan.name, len(plan.seeds))
        return done
    if plan.checkpoint.startswith(BASELINE_PREFIX):
        done = run_baseline(plan, data, done)
        _store(done, places.results)
        return done
    return _train_seeds(plan, data, done, places, against or Against())


def trained_seeds(
    plan: Plan, data: TargetData, results: Path, model_dir: Path | None = None
) -> int:
    """Return how many seeds of a plan, first to last, an earlier `run` has left behind."""
    found = _earlier(plan, data, _Places(results, model_dir, None, True))
    wait_for_all()
    return len(found.seeds) if found else 0


@dataclass(frozen=True)
class _Places:
    """Where a run writes, and whether it tests."""

    results: Path | None
    model_dir: Path | None
    seeds_dir: Path | None
    test: bool
    logs: Path | None = None

    def seed_dirs(self, seed: int) -> tuple[Path, ...]:
        """Return the folders of a seed: its weights, and those of the start of its last phase."""
        if self.seeds_dir is None:
            return ()
        return self.seeds_dir / f"seed-{seed}", self.seeds_dir / f"seed-{seed}-start"

    def keep(self, trained: Trained, *, best: bool) -> None:
        """Write the weights that were asked for."""
        if best and self.model_dir is not None:
            keep_model(trained.save, self.model_dir)
        for folder, save in zip(
            self.seed_dirs(trained.result.seed), (trained.save, trained.save_start), strict=False
        ):
            assert save is not None
            keep_model(save, folder)

    def hold(self, found: RunResult) -> bool:
        """Tell whether everything of an earlier result is there that was asked for."""
        folders = [folder for each in found.seeds for folder in self.seed_dirs(each.seed)]
        if self.model_dir is not None:
            folders.append(self.model_dir)
        tested = not self.test or all(each.test for each in found.seeds)
        return tested and all((folder / "config.json").is_file() for folder in folders)


def _train_seeds(
    plan: Plan, data: TargetData, done: RunResult | None, places: _Places, against: Against
) -> RunResult:
    from hf_transfer_plugin.train.arguments import check_training
    from hf_transfer_plugin.train.preparing import prepare, roles_of
    from hf_transfer_plugin.train.training import train_once

    check_training(plan.training, plan.batch_size)
    if plan.watch == "rescue" and against.is_empty:
        _log.warning(
            "%s: the watch sees collapses and broken gradients alone: the control that decides "
            "has no learning curve, and no frozen-probe is among the controls",
            plan.name,
        )
    checkpoint, prepared = prepare(plan, data, roles_of(plan, test=places.test))
    keep_start = places.seeds_dir is not None

    def attempt(plan: Plan, seed: int, rate: float | None) -> Trained:
        return train_once(
            plan, seed, rate, data, checkpoint, prepared, keep_start, against, places.logs
        )

    for seed in plan.seeds[len(done.seeds) if done else 0 :]:
        if done is None and plan.learning_rates:
            trained, grid = _best_of_grid(plan, partial(attempt, seed=seed))
        else:
            grid = dict(done.grid) if done else {}
            trained = attempt(plan, seed, done.seeds[0].learning_rate if done else None)
        done = _extended(plan, data, done, trained, grid)
        if done.best_seed == seed and places.model_dir is not None:
            done = replace(done, drift=trained.drift())
        places.keep(trained, best=done.best_seed == seed)
        _store(done, places.results)
        role = "test" if places.test else "validation"
        score = getattr(trained.result, role)[plan.metric]
        chosen = trained.result.weights
        with_ = f", weights: {chosen.chosen}" if chosen is not None else ""
        _log.info("%s: seed %d, %s %s %.4f%s", plan.name, seed, role, plan.metric, score, with_)
    assert done is not None
    return done


def _best_of_grid(plan: Plan, attempt: Callable[..., Trained]) -> tuple[Trained, dict[str, float]]:
    """Try each rate and keep the one with the best validation; two models are held at most.

    A soup, which trains several times, is cooked at the best rate of a single training alone.
    """
    grid: dict[str, float] = {}
    best = None
    several = plan.average is not None and plan.average.kind.more_trainings
    cooks = several and len(plan.learning_rates) > 1
    tried = replace(plan, average=None) if cooks else plan
    for rate in plan.learning_rates:
        trained = attempt(tried, rate=rate)
        grid[f"{rate:g}"] = trained.result.validation[plan.chosen_by]
        if best is None or grid[f"{rate:g}"] > best.result.validation[plan.chosen_by]:
            best = trained
    assert best is not None
    return (attempt(plan, rate=best.result.learning_rate) if cooks else best), grid


def _extended(
    plan: Plan, data: TargetData, done: RunResult | None, trained: Trained, grid: dict[str, float]
) -> RunResult:
    seeds = (*(done.seeds if done else ()), trained.result)
    # max keeps the first of equals.
    best = max(seeds, key=lambda each: each.validation[plan.chosen_by])
    is_best = best is trained.result
    return RunResult(
        plan=plan,
        class_names=data.class_names,
        labels=data.labels("test") if trained.result.test else (),
        seeds=seeds,
        trainable_parameters=trained.trainable_parameters,
        parameters=trained.parameters,
        world_size=world_size(),
        grid=grid,
        best_seed=best.seed,
        data=data.summary.fingerprint,
        groups=trained.groups,
        transitions=done.transitions if done and not is_best else trained.transitions,
        adapter_bytes=trained.adapter_bytes,
        model_type=trained.model_type,
        weighed=trained.weighed,
        drift=done.drift if done and not is_best else None,
    )


def _earlier(plan: Plan, data: TargetData, places: _Places) -> RunResult | None:
    """Return what an earlier run of the very same plan on the same data has left."""
    if places.results is None or not places.results.is_file():
        return None
    found = RunResult.load(places.results)
    same = replace(found.plan, seeds=()) == replace(plan, seeds=())
    known = tuple(each.seed for each in found.seeds)
    if not same or found.data != data.summary.fingerprint or known != plan.seeds[: len(known)]:
        return None
    if not places.hold(found):
        return None
    return replace(found, plan=plan) if known else None


def _store(result: RunResult, path: Path | None) -> None:
    if path is not None and is_first():
        result.save(path)
    wait_for_all()
