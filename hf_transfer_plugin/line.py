"""The straight line of a run: data -> rank -> plan -> run -> judge -> report, each arrow a method.

Each arrow writes one JSON file into the run folder and is not done again while that file fits, so
a line that stopped, or that was moved, goes on where it was.
"""

from __future__ import annotations

import logging
import os
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from hf_transfer_plugin.checkpoints import known_license
from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.data import TargetData, load_domains, shown_examples, train_items
from hf_transfer_plugin.environment import environment
from hf_transfer_plugin.explaining import Explanation, explain
from hf_transfer_plugin.layer_profile_record import LayerProfile
from hf_transfer_plugin.line_folder import LineFolder
from hf_transfer_plugin.line_proposing import came_from, proposed
from hf_transfer_plugin.line_scoring import profiled, ranked
from hf_transfer_plugin.line_training import LineTraining
from hf_transfer_plugin.look_records import Looks
from hf_transfer_plugin.masked_language_records import MaskedLanguageResult
from hf_transfer_plugin.planned_training import check_looks_held, verdict_of
from hf_transfer_plugin.processes import is_first, wait_for_all
from hf_transfer_plugin.proposal_records import Proposal
from hf_transfer_plugin.records import Plan, Ranking, Report, Rescue, RunResult, Verdict
from hf_transfer_plugin.report import report_files
from hf_transfer_plugin.select.profile import PROFILE_SCORE, check_profile_score
from hf_transfer_plugin.serialization import write_atomic

__all__ = ["Line"]

_log = logging.getLogger(__name__)


class Line:
    """One run in one folder.

    Args:
        config: what to run; it is stored as config.json in its run folder.
        command: the command that repeats the run, for report and card; without one it goes on in
            the run folder.

    Raises:
        RecordError: when the run folder cannot be written.

    Examples:
        >>> line = Line(load_config("recipes/configs/text_classification/docstrings.yaml"))
        >>> verdict = line.judge()  # ranks, plans and trains first, as far as that is not done
    """

    def __init__(self, config: RunConfig, *, command: str = "") -> None:
        self.config = config
        self.folder = Path(config.run_folder)
        self.command = command or shlex.join(["hf-tl", "run", str(self.folder)])
        self._plan: Plan | None = None
        self._ranking: Ranking | None = None
        self._explanation: Explanation | None = None
        self._results: tuple[RunResult, ...] | None = None
        self._trains: LineTraining | None = None
        self._records = LineFolder(self.folder)
        self._records.write(config)
        wait_for_all()

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Line:
        """Pick up a line from its folder; its plan.json is taken as it is, edited or not.

        Raises:
            RecordError: when the folder holds no run.
        """
        config = RunConfig.load(Path(folder) / RunConfig.file_name)
        line = cls(replace(config, run_folder=str(folder)))
        line._plan = line._records.held(Plan)
        if line._plan is not None:
            line.command = line._records.command_of(line._plan) or line.command
        return line

    @property
    def model_dir(self) -> Path:
        """Return the folder of the model that is kept, loadable without this package."""
        return self.folder / "model"

    @cached_property
    def data(self) -> TargetData:
        """Return the checked data."""
        config = self.config
        label_free = config.label_free_choice is not None
        domains = (config.source_data, config.data)
        data = load_domains(*domains, config.task, config.labels, label_free=label_free)
        for warning in data.summary.warnings:
            _log.warning("data: %s", warning)
        self._records.write(data.summary)
        return data

    def rank(self) -> Ranking:
        """Score the candidates (WHAT) beside the baselines; those that failed are tried again."""
        if self._ranking is None:
            from hf_transfer_plugin.train.arguments import check_training

            check_training(self.config.training, self.config.batch_size)
            self._ranking = ranked(self.config, self.data)
        return self._ranking

    def profile(self, score: str | None = None) -> LayerProfile:
        """Score each layer of the checkpoint (WHAT), say where to cut, and draw it.

        Args:
            score: name of a score of features; None means the accuracy of a linear probe.
        """
        data = self.data
        score = score or PROFILE_SCORE
        check_profile_score(score)
        # A plan may have been edited since it was written.
        named = self._plan or self.config
        checkpoint = named.checkpoint or self.rank().candidates[0].checkpoint
        revision = named.revision if named.checkpoint else None
        return profiled(self.config, data, checkpoint, revision, score)

    def plan(self) -> Plan:
        """Return the plan (HOW) of the transfer; plan.json in an opened folder as it is.

        It has the seeds that looks at the same plan have added.
        """
        if self._plan is None:
            plan = self.config.plan(self.rank())
            if self.config.proposes:
                _, plan = proposed(self.config, self.data, self.rank(), earlier=True)
            self._plan = self._written(plan)
        return self._plan

    def _written(self, plan: Plan) -> Plan:
        plan = self._records.with_added_seeds(plan)
        self._records.write(plan)
        return plan

    def propose(self, *, budget_minutes: float | None = None, pilot: bool = False) -> Proposal:
        """Propose what the config leaves open of HOW: proposal.json, and plan.json to go on with.

        What the config says stays; see docs/planning.md.

        Args:
            budget_minutes: of training the transfer with all its seeds, pilot included.
            pilot: let short trainings choose among the best options, on validation rows.

        Raises:
            LaunchError: for a pilot in several processes.
        """
        found, plan = proposed(self.config, self.data, self.rank(), budget_minutes, pilot)
        self._plan = self._written(plan)
        self._explanation = self._results = None
        return found

    def replan(self, plan: Plan) -> None:
        """Go on with the same plan with more seeds; looks.json and plan.json say so first."""
        if (held := self.looks()) is not None:
            self.store_looks(replace(held, plan=plan))
        self._records.write(plan)
        self._plan, self._results = plan, None

    def looks(self) -> Looks | None:
        """Return the looks at this plan, if what trained was ever chosen by what was seen."""
        return self._records.looks_at(self.plan())

    def store_looks(self, looks: Looks) -> None:
        """Write looks.json."""
        self._records.write_looks(looks)

    def rescued(self, verdict: Verdict) -> Rescue | None:
        """Return how far the ladder of rescues was climbed from a verdict, if it was."""
        return self._records.rescue_from(verdict)

    def explain(self) -> Explanation:
        """Say what the plan will do and cost; an unfit schedule is found here."""
        if self._explanation is None:
            plan = self.plan()
            self._explanation = explain(plan, train_examples=train_items(plan, self.data))
            self._records.write(self._explanation)
        return self._explanation

    def plans(self) -> tuple[Plan, ...]:
        """Return the transfer and its controls; source data are read where a control needs them."""
        return self._training.plans()

    def run(self) -> tuple[RunResult, ...]:
        """Train each control, then the transfer, over the same seeds; with looks, look by look.

        The watch of the transfer holds it against the controls, so they must be there. In what is
        returned the transfer is first.
        """
        if self._results is None:
            check_looks_held(self.looks(), self.config)
            self.explain()
            note = partial(self._records.add_look, self.plan(), self.config.looks)
            self._results = self._training.train(note)
        return self._results

    @property
    def _training(self) -> LineTraining:
        if self._trains is None or self._trains.plan != self.plan():
            made = LineTraining(self.config, self.folder, self.model_dir, self.data, self.plan())
            self._trains = made
        return self._trains

    def judge(self) -> Verdict:
        """Judge (WHEN) transfer minus control, with its interval."""
        results = self.run()
        verdict = verdict_of(self.config, results, sequential=self.looks() is not None)
        self._records.write(verdict)
        return verdict

    def report(self) -> Report:
        """Write report.html, README.md (the card), report.json and the plots."""
        verdict = self.judge()
        plan = self.plan()
        lost = verdict.hidden.lost_examples if verdict.hidden is not None else ()
        report = Report(
            title=self.config.title or self.folder.name,
            task=self.config.task,
            data=self.data.summary,
            ranking=self.rank(),
            explanation=str(self.explain()),
            results=self.run(),
            verdict=verdict,
            environment=environment(),
            command=self.command,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            rescue=self.rescued(verdict),
            examples=shown_examples(self.data, lost[: self.config.report_examples]),
            proposal=came_from(self.folder, plan, self.data),
            pretraining=MaskedLanguageResult.of(plan.checkpoint),
        )
        report = replace(report, licenses=known_license(report.source_checkpoint))
        if is_first():
            for name, content in report_files(report).items():
                write_atomic(self.folder / name, content)
        wait_for_all()
        return report
