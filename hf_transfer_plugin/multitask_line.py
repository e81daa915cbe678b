"""The line of a multitask run: data -> ways and tasks alone -> verdicts -> JSON and picture."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from hf_transfer_plugin.checkpoints import known_license
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.environment import environment
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.multitask_config import MultitaskConfig
from hf_transfer_plugin.multitask_records import KeptTasks, MultitaskReport, MultitaskResult
from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.records import RunResult, Verdict
from hf_transfer_plugin.report.chart_tasks import tasks_chart
from hf_transfer_plugin.report.task_card import TASKS_PLOT, task_files
from hf_transfer_plugin.serialization import write_atomic
from hf_transfer_plugin.train import run
from hf_transfer_plugin.train.multitask import check_tasks, run_multitask

__all__ = ["MultitaskLine"]

_log = logging.getLogger(__name__)


class MultitaskLine:
    """One multitask run in one folder; what is trained already is not trained again.

    Each way of the config trains all tasks on one network, and each task is trained alone from
    the same checkpoint, with the same seeds and as many passes over its rows. `judge` holds them
    against each other, task by task.

    Args:
        config: what to run; it is stored as config.json in its run folder.
        command: the command that repeats the run; without one it names the config in run_folder.

    Raises:
        RecordError: when the run folder cannot be written.

    Example:
        >>> config = load_multitask_config("recipes/configs/multitask/docstrings.yaml")
        >>> report = MultitaskLine(config).report()  # trains first, as far as that is not done
    """

    def __init__(self, config: MultitaskConfig, *, command: str = "") -> None:
        self.config = config
        self.folder = Path(config.run_folder)
        held = self.folder / MultitaskConfig.file_name
        self.command = command or shlex.join(["hf-tl", "multitask", str(held)])
        if is_first():
            config.save(held)
        wait_for_all()

    @cached_property
    def data(self) -> Mapping[str, TargetData]:
        """Return the checked data of each task.

        Raises:
            DataError: naming the task whose data cannot be learned from.
            ConfigError: for tasks that cannot share a network.
        """
        found = {}
        for name, spec in self.config.tasks.items():
            try:
                found[name] = load_data(spec, self.config.task)
            except DataError as error:
                arrived = f"task {name}, read for {self.config.task} as all are: {error.arrived}"
                raise DataError(arrived, error.expected, error.action) from None
            for warning in found[name].summary.warnings:
                _log.warning("task %s: %s", name, warning)
        check_tasks(found)
        return found

    @cached_property
    def alone(self) -> Mapping[str, RunResult]:
        """Return each task trained alone: the controls."""
        plan = self.config.plan(self.config.ways[0])
        found = {}
        for name, data in self.data.items():
            _log.info("task %s alone, %d seeds", name, len(plan.seeds))
            results = self.folder / "results" / "single" / f"{name}.json"
            logs = self.folder / "logs" / "single" / name
            found[name] = run(plan.of_task(name), results=results, data=data, logs_dir=logs)
        return found

    @cached_property
    def together(self) -> Mapping[str, MultitaskResult]:
        """Return each way trained on all tasks; the models lie in models/WAY/TASK."""
        return {
            way.name: run_multitask(
                self.config.plan(way),
                results=self.folder / "results" / f"{way.name}.json",
                model_dir=self.folder / "models" / way.name,
                data=self.data,
                logs_dir=self.folder / "logs",
            )
            for way in self.config.ways
        }

    def judge(self) -> dict[str, dict[str, Verdict]]:
        """Return way -> task -> verdict of multitask minus the task alone."""
        return {
            way: {
                name: judge(
                    result.results[name],
                    self.alone[name],
                    margin=self.config.margin,
                    confidence=self.config.confidence,
                )
                for name in self.config.tasks
            }
            for way, result in self.together.items()
        }

    def report(self) -> MultitaskReport:
        """Train, judge, and write multitask.json, plots/tasks.png and a card for each model."""
        verdicts = self.judge()
        report = MultitaskReport(
            title=self.config.title or f"{len(self.config.tasks)} tasks on one network",
            task=self.config.task,
            checkpoint=self.config.checkpoint,
            specs=self.config.tasks,
            data={name: each.summary for name, each in self.data.items()},
            verdicts=verdicts,
            harmed={
                way: tuple(name for name, each in found.items() if each.outcome == "harmed")
                for way, found in verdicts.items()
            },
            conflicts={
                way: _mean_shares(result)
                for way, result in self.together.items()
                if result.plan.way.pcgrad
            },
            kept={way: _kept(result) for way, result in self.together.items()},
            environment=environment(),
            command=self.command,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            licenses=known_license(self.config.checkpoint),
        )
        if is_first():
            self._write(report)
        wait_for_all()
        return report

    def _write(self, report: MultitaskReport) -> None:
        curves = {
            name: (self.alone[name], *(each.results[name] for each in self.together.values()))
            for name in self.config.tasks
        }
        picture = tasks_chart(report.title, curves).image
        write_atomic(self.folder / TASKS_PLOT, picture)
        for name, content in task_files(report, picture).items():
            write_atomic(self.folder / "models" / name, content)
        report.save(self.folder / MultitaskReport.file_name)


def _kept(result: MultitaskResult) -> KeptTasks:
    seed = result.best_seed
    test = {
        name: next(each.test for each in of_task.seeds if each.seed == seed)
        for name, of_task in result.results.items()
    }
    return KeptTasks(seed, test)


def _mean_shares(result: MultitaskResult) -> dict[str, float]:
    """Return pair of tasks -> mean over seeds of the share of passes in conflict."""
    pairs = sorted({pair for seed in result.conflicts for pair in seed})
    found = {pair: [seed[pair] for seed in result.conflicts if pair in seed] for pair in pairs}
    return {pair: sum(shares) / len(shares) for pair, shares in found.items()}
