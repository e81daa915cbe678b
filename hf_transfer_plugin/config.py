"""YAML and overrides to a `RunConfig`: the only place that reads configs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.alarms import Watch
from hf_transfer_plugin.average_records import Average
from hf_transfer_plugin.config_domains import check_domains
from hf_transfer_plugin.config_keys import (
    NAMED,
    as_record,
    check_keys,
    name_folders,
    read_keys,
    spread,
)
from hf_transfer_plugin.config_values import check_values
from hf_transfer_plugin.decide.controls import DEFAULT_CONTROLS, controls
from hf_transfer_plugin.domain_kinds import DEFAULT_CHOICE, ChooseBy, Labels
from hf_transfer_plugin.objective_records import Objective
from hf_transfer_plugin.proposal_records import Kept
from hf_transfer_plugin.records import DataSpec, Phase, Plan, Ranking, Task
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.source_weight_records import SourceWeights

__all__ = ["AUTO", "RunConfig", "load_config"]

_KEYS = "a YAML file with the keys of a run, such as task, data, checkpoint, schedule, seeds"

# What `schedule: auto` is stored as.
AUTO = {"name": "auto"}

# Keys whose list of one may be written without brackets.
_LISTS = (
    "candidates",
    "controls",
    "control_learning_rates",
    "learning_rates",
    "looks",
    "rank_scores",
    "seeds",
)


@dataclass(frozen=True)
class RunConfig(Record):
    """All of a run, as a user writes it.

    Attributes:
        task: "text-classification" or "image-classification".
        data: see `DataSpec`; a text alone is its path.
        run_folder: where everything of this run is written.
        checkpoint: the checkpoint to transfer; without it the best candidate of the ranking.
        candidates: checkpoints to rank; the one to transfer is ranked too.
        schedule: `linear_probe`, `{name: lp_ft, fraction: 0.3}` or `{phases: [...]}`; `auto` lets
            the planner propose it, with adapter, objective, rate and length as far as these are
            not written (docs/planning.md). None: full fine-tuning.
        adapter: `lora`, or `{name: lora, r: 8, keep: merged}`; see `Adapter`.
        objective: `l2sp`, or `{name: l2sp, alpha: 0.1}`; see `Objective`.
        average: `wise_ft`, `ema`, `soup`, or `{name: soup, members: 4}`; see `Average`.
        training: keyword arguments of `transformers.TrainingArguments`.
        batch_size: examples per optimizer step, over all processes.
        learning_rates: grid for the transfer; validation chooses.
        seeds: one run each, for transfer and controls; in YAML their number is enough. With looks
            their number is that of the last one, and may be left out.
        metric: what is judged.
        controls: what transfer is compared with; the first one decides.
        source_data: labelled rows of another domain with the same classes, for `labels`, for an
            objective that reads domains, and for the controls of domains. Or what the checkpoint
            learned from, where that is known: the control "permuted-source" trains on it. Its
            images have the size of those of `data`.
        labels: whose labels train: "target" (those of `data`), "source" (those of `source_data`;
            of `data` the labels of test alone are read, for the final number) or "both".
        choose_by: what chooses epoch and learning rate without labels of the target: "source",
            "importance", "information", "entropy" or "density" (see `domain_kinds.CHOICES`). With
            labels: source it is "importance" unless said otherwise; with labels: both the
            target's validation rows choose unless it is given.
        adapt_batch_norm: after training, estimate the statistics of batch norms on the target's
            rows of train, without their labels (AdaBN); with labels: source or both, of a network
            that has such norms.
        source_weights: `density_ratio`, `mean_matching`, or `{name: density_ratio, least_share:
            0.5}`: labelled rows of the source come as often as they look like the target's rows of
            train, whose labels are not read; with labels: source or both. See `SourceWeights`.
        control_learning_rates: grid for the controls that train a network.
        looks: increasing numbers of paired seeds at which comparisons are looked at, and stopped
            when settled or futile, such as [3, 5, 10]. Empty: all seeds, then one verdict.
        control_budget_minutes: of training, for each control that trains a network; one whose
            next look would take longer stops. The first look is always trained.
        rank_scores: scores of the ranking; the first one orders. Empty: those of the task.
        rank_examples: size of the sample that is ranked on.
        rank_confidence: that the ranking's confidence set holds the truly best, and of its
            intervals.
        rank_halving: score on a quarter and a half of the sample first, and drop what is worse.
        margin: difference, in units of the metric, that would not matter.
        confidence: of every interval of the verdict.
        processes: how many must run; None accepts what the launcher gave.
        prefix_cache: compute frozen layers once, where that is exact, and keep what they gave in
            the folder $HF_TL_CACHE (`hf-tl cache` lists and deletes it).
        watch: what an alarm does while a seed trains (validation below the control or the frozen
            probe, collapse, broken gradients): "warn", "stop", "rollback", "refreeze", or "rescue",
            which rolls a seed of the transfer back and climbs the ladder of rescues; "off".
        watch_patience: evaluations in a row that raise an alarm; without it 3, and 2 in a run of
            five epochs or fewer.
        report_examples: test examples that transfer loses, shown in report.html and report.json by
            text or image; 0 for data that nobody else may see. What is published never shows them
            unless asked to.
        title: heading of report and card.
    """

    file_name = "config.json"

    task: Task
    data: DataSpec
    run_folder: str
    checkpoint: str | None = None
    candidates: tuple[str, ...] = ()
    revision: str | None = None
    trust_remote_code: bool = False
    schedule: Mapping[str, Any] | None = None
    adapter: Adapter | None = None
    objective: Objective | None = None
    average: Average | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    learning_rates: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    metric: str = "accuracy"
    controls: tuple[str, ...] = DEFAULT_CONTROLS
    source_data: DataSpec | None = None
    labels: Labels = "target"
    choose_by: ChooseBy | None = None
    adapt_batch_norm: bool = False
    source_weights: SourceWeights | None = None
    control_learning_rates: tuple[float, ...] = ()
    looks: tuple[int, ...] = ()
    control_budget_minutes: float | None = None
    rank_scores: tuple[str, ...] = ()
    rank_examples: int = 500
    rank_confidence: float = 0.9
    rank_halving: bool = False
    margin: float = 0.01
    confidence: float = 0.95
    processes: int | None = None
    prefix_cache: bool = True
    watch: Watch = "warn"
    watch_patience: int | None = None
    report_examples: int = 10
    title: str = ""

    def ranked(self) -> tuple[str, ...]:
        """Return every checkpoint to rank, each once."""
        named = (self.checkpoint,) if self.checkpoint else ()
        return tuple(dict.fromkeys((*named, *self.candidates)))

    @property
    def label_free_choice(self) -> ChooseBy | None:
        """Return what chooses without labels of the target; None where these are read."""
        return self.choose_by or (DEFAULT_CHOICE if self.labels == "source" else None)

    @property
    def proposes(self) -> bool:
        """Tell whether the planner decides what is not written."""
        return self.schedule == AUTO

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Return the phases of the schedule; full fine-tuning where none is written.

        Raises:
            ScheduleError: for a schedule that contradicts itself.
        """
        written = None if self.proposes else self.schedule
        return FreezingSchedule.from_config(written or {"name": "full"}).phases

    @property
    def kept(self) -> Kept:
        """Return what a proposal leaves as it is."""
        return Kept(
            schedule=None if self.proposes else self.schedule,
            adapter=self.adapter,
            objective=self.objective,
            average=self.average,
            training=dict(self.training),
            learning_rates=self.learning_rates,
        )

    def plan(self, ranking: Ranking) -> Plan:
        """Return the plan of the transfer.

        Raises:
            ScheduleError: for a schedule that contradicts itself.
        """
        return Plan(
            name="transfer",
            task=self.task,
            checkpoint=self.checkpoint or ranking.candidates[0].checkpoint,
            data=self.data,
            revision=self.revision if self.checkpoint else None,
            schedule=self.phases,
            adapter=self.adapter,
            objective=self.objective,
            average=self.average,
            training=dict(self.training),
            batch_size=self.batch_size,
            learning_rates=self.learning_rates,
            seeds=self.seeds,
            metric=self.metric,
            source=self.source_data,
            labels=self.labels,
            choose_by=self.label_free_choice,
            adapt_batch_norm=self.adapt_batch_norm,
            source_weights=self.source_weights,
            trust_remote_code=self.trust_remote_code,
            prefix_cache=self.prefix_cache,
            watch=self.watch,
            watch_patience=self.watch_patience,
        )

    def controls_of(self, plan: Plan) -> tuple[Plan, ...]:
        """Return the plans that the transfer is compared with.

        Raises:
            ConfigError: for a control that lacks its source data.
        """
        check_domains(self)
        return controls(plan, self.controls, learning_rates=self.control_learning_rates)


def load_config(
    path: str | os.PathLike[str], overrides: Sequence[str] = (), *, task: Task | None = None
) -> RunConfig:
    """Read a YAML file and apply `key=value` overrides (`training.learning_rate=1e-4`).

    Args:
        path: the file.
        overrides: each `key=value`, dots for nested keys, the value as YAML.
        task: the only task that is accepted, when given.

    Raises:
        ConfigError: for a file that cannot be read, an unknown or repeated key, or a value of the
            wrong kind.
    """
    data = read_keys(path, overrides, _KEYS)
    for key, kind in NAMED.items():
        if data.get(key) is not None:
            data[key] = kind.from_config(data[key]).to_json()
    if task is not None:
        data.setdefault("task", task)
    check_keys(data, RunConfig)
    if data.get("watch") is False:  # what YAML reads `off` as
        data["watch"] = "off"
    if isinstance(data.get("schedule"), str):
        data["schedule"] = {"name": data["schedule"]}
    spread(data, _LISTS)
    _seeds_of_looks(data)
    name_folders(data)
    config = as_record(RunConfig, data, path)
    check_values(config, task)
    return config


def _seeds_of_looks(data: dict[str, Any]) -> None:
    looks = data.get("looks")
    if "seeds" not in data and isinstance(looks, list) and looks and type(looks[-1]) is int:
        data["seeds"] = list(range(looks[-1]))
