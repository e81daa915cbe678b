"""All plans of a line trained, the controls before the transfer that is held against them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.data import TargetData, load_source, plan_data
from hf_transfer_plugin.data.domains import in_order
from hf_transfer_plugin.decide.controls import PERMUTED_SOURCE, controls
from hf_transfer_plugin.outlook import Outlook, expecting
from hf_transfer_plugin.planned_training import train_to_looks
from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.records import Plan, RunResult, Verdict
from hf_transfer_plugin.train import Against, run, trained_seeds
from hf_transfer_plugin.train.ahead import trainings_ahead
from hf_transfer_plugin.train.permuted_source import PermutedSourceNetwork

__all__ = ["LineTraining"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LineTraining:
    """What trains in a run folder.

    Attributes:
        config: of the run.
        folder: the run folder.
        model_dir: takes the model of the transfer.
        data: the target.
        plan: the transfer.
    """

    config: RunConfig
    folder: Path
    model_dir: Path
    data: TargetData
    plan: Plan

    def plans(self) -> tuple[Plan, ...]:
        """Return the transfer and its controls."""
        planned = self.config.controls_of(self.plan)
        return (self.plan, *(self._placed(control) for control in planned))

    def train(self, after_look: Callable[[Verdict], None]) -> tuple[RunResult, ...]:
        """Train what is not trained yet; the transfer is first in what is returned.

        Args:
            after_look: is given the verdict of each planned look.
        """
        plans = self.plans()
        ahead = {each.name: trainings_ahead(each, self._held(each)) for each in plans}
        with expecting(Outlook(ahead, at_most=bool(self.config.looks))):
            if self.config.looks:
                return train_to_looks(plans, self.config, self._run, after_look)
            plan, *planned = plans
            results = [self._run(each, len(each.seeds), ()) for each in planned]
            return (self._run(plan, len(plan.seeds), results), *results)

    def _results(self, plan: Plan) -> Path:
        return self.folder / "results" / f"{plan.name}.json"

    def _held(self, plan: Plan) -> int:
        """Return the seeds of a result that is there; whether it still fits is seen later."""
        result = RunResult.load_usable(self._results(plan))
        return len(result.seeds) if result is not None else 0

    def _run(self, plan: Plan, seeds: int, held_against: Sequence[RunResult]) -> RunResult:
        """Train the first seeds of a plan; those that are there already stay."""
        results = self._results(plan)
        transfers = plan.name == self.plan.name
        model_dir = self.model_dir if transfers else None
        if plan.name == "permuted-source":
            self._permuted_source.make()
            _follow(results, plan)
        data = self._data_of(plan)
        if seeds < len(plan.seeds):
            seeds = max(seeds, trained_seeds(plan, data, results, model_dir))
        _log.info("%s: %s, %d seeds", plan.name, plan.checkpoint, seeds)
        return run(
            replace(plan, seeds=plan.seeds[:seeds]),
            results=results,
            model_dir=model_dir,
            data=data,
            against=self._against(held_against) if transfers else None,
            logs_dir=self.folder / "logs",
        )

    def _against(self, results: Sequence[RunResult]) -> Against:
        _, decides, *_ = self.plans()
        # One that validates on other rows says nothing of a curve on these.
        alike = [each for each in results if _reads(each.plan) == _reads(self.plan)]
        return Against.of(alike, decides.name, self.config.margin)

    def _data_of(self, plan: Plan) -> TargetData:
        """Return the rows of a plan, which may train on other labels than the transfer."""
        wanted = _reads(plan)
        if wanted == _reads(self.plan):
            return self.data
        if wanted not in self._other_data:
            self._other_data[wanted] = in_order(plan_data(plan), self.data.class_names)
        return self._other_data[wanted]

    @cached_property
    def _other_data(self) -> dict[tuple[str, bool], TargetData]:
        return {}

    @cached_property
    def _permuted_source(self) -> PermutedSourceNetwork:
        """Return the network of the control "permuted-source", made or not."""
        config = self.config
        assert config.source_data is not None
        spec = replace(config.source_data, image_size=config.data.image_size)
        source = load_source(spec, config.task)
        rates = config.control_learning_rates
        (scratch,) = controls(self.plan, ("from-scratch",), learning_rates=rates)
        return PermutedSourceNetwork(scratch, source, self.folder / PERMUTED_SOURCE)

    def _placed(self, control: Plan) -> Plan:
        """Name the network of a run folder by where it is, and by what it was made from."""
        if control.checkpoint != PERMUTED_SOURCE:
            return control
        network = self._permuted_source
        return replace(control, checkpoint=str(network.folder), revision=network.request)


def _reads(plan: Plan) -> tuple[str, bool]:
    """Return what decides which rows a plan reads: whose labels train, and whose choose."""
    return plan.labels, plan.choose_by is not None


def _follow(results: Path, plan: Plan) -> None:
    """Let a result name its checkpoint where it is now, after the run folder was moved."""
    if is_first() and results.is_file():
        held = RunResult.load(results)
        if held.plan.revision == plan.revision and held.plan.checkpoint != plan.checkpoint:
            moved = replace(held.plan, checkpoint=plan.checkpoint)
            replace(held, plan=moved).save(results)
    wait_for_all()
