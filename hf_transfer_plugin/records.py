"""The values that travel along the line: data -> ranking -> plan -> results -> verdict -> report.

Each is a frozen dataclass and one JSON file in the run folder (see `Record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.alarms import Alarm, Watch
from hf_transfer_plugin.average_records import Average, ChosenWeights
from hf_transfer_plugin.cost_records import RunCost
from hf_transfer_plugin.data_records import DataSpec, DataSummary, ShownExample, Task
from hf_transfer_plugin.domain_kinds import CHOICES, ChooseBy, Criterion, Labels, reads_domains
from hf_transfer_plugin.drift_records import Drift
from hf_transfer_plugin.masked_language_records import MaskedLanguageResult
from hf_transfer_plugin.objective_records import Objective
from hf_transfer_plugin.phases import Choice, Phase, Transition
from hf_transfer_plugin.proposal_records import Proposal
from hf_transfer_plugin.ranking_records import Candidate, Forecast, Ranking
from hf_transfer_plugin.rescue_records import Rescue, Rung
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.source_weight_records import SourceWeights, WeighedSource
from hf_transfer_plugin.verdict_records import ClassVerdict, HiddenHarm, Outcome, Stop, Verdict

__all__ = [
    "Adapter",
    "Alarm",
    "Average",
    "Candidate",
    "Choice",
    "ChosenWeights",
    "ClassVerdict",
    "CurvePoint",
    "DataSpec",
    "DataSummary",
    "Drift",
    "Forecast",
    "HiddenHarm",
    "Objective",
    "Outcome",
    "Phase",
    "Plan",
    "Ranking",
    "Report",
    "Rescue",
    "RunCost",
    "RunResult",
    "Rung",
    "SeedResult",
    "ShownExample",
    "Stop",
    "Task",
    "Transition",
    "Verdict",
]


@dataclass(frozen=True)
class Plan(Record):
    """HOW to transfer; a control is just another plan.

    Attributes:
        name: unique within a run: "transfer", "from-scratch", "tfidf-logistic", ...
        checkpoint: Hub name, local folder, `sample:NAME`, or `baseline:NAME` (no network).
        weights: "random" keeps the architecture and draws new weights.
        schedule: phases of the freezing schedule, first to last.
        adapter: new parameters on a frozen network; None trains the network itself.
        objective: a loss term beside that of the task; None: the task alone.
        average: an average of weights, kept where validation finds it better; None: none is made.
        training: keyword arguments of `transformers.TrainingArguments`.
        batch_size: examples per optimizer step, over all processes and accumulation steps.
        learning_rates: grid tried with the first seed; validation chooses. Empty: the rate in
            `training` (or its default).
        seeds: one run each; plans of one comparison share them.
        metric: the metric that is judged (higher is better).
        source: labelled rows of another domain, where something reads them.
        labels: whose labels train: those of `data`, of `source`, or of both. With "source" the
            labels of the target's train and validation rows are read by nothing.
        choose_by: what chooses epoch and rate without labels of the target; None: its labelled
            validation rows choose the rate. See `domain_kinds.CHOICES`.
        adapt_batch_norm: after training, batch norms take the statistics of the target's rows of
            train, without their labels.
        source_weights: labelled rows of the source come as often as these say; None: each once.
        trust_remote_code: run code that comes with the checkpoint.
        prefix_cache: compute frozen layers once where that is exact; see `prefix_cache`.
        watch: what an alarm does while a seed trains; see `NegativeTransferCallback`.
        watch_patience: evaluations in a row that raise an alarm; None: 3, in short runs 2.
    """

    file_name = "plan.json"

    name: str
    task: Task
    checkpoint: str
    data: DataSpec
    revision: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"
    schedule: tuple[Phase, ...] = (Phase(train=("*",)),)
    adapter: Adapter | None = None
    objective: Objective | None = None
    average: Average | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    learning_rates: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    metric: str = "accuracy"
    source: DataSpec | None = None
    labels: Labels = "target"
    choose_by: ChooseBy | None = None
    adapt_batch_norm: bool = False
    source_weights: SourceWeights | None = None
    trust_remote_code: bool = False
    prefix_cache: bool = True
    watch: Watch = "warn"
    watch_patience: int | None = None

    @property
    def chosen_by(self) -> str:
        """Return the name of the validation metric that chooses; larger is better."""
        return "choice" if self.choose_by else self.metric

    @property
    def choosing_split(self) -> str:
        """Return the split whose rows choose weights and rate."""
        return "choice" if self.choose_by else "validation"

    @property
    def criterion(self) -> Criterion | None:
        """Return what chooses without labels of the target, if something does."""
        return CHOICES[self.choose_by] if self.choose_by else None

    @property
    def pairs_domains(self) -> bool:
        """Tell whether it trains on pairs of a labelled and an unlabelled row."""
        return reads_domains(self.objective)

    @property
    def reads_unlabelled(self) -> bool:
        """Tell whether something reads the target's rows of train without their labels."""
        return self.pairs_domains or self.adapt_batch_norm or self.source_weights is not None


@dataclass(frozen=True)
class CurvePoint(Record):
    """Validation at the end of an epoch.

    Attributes:
        step: optimizer steps so far.
        epoch: passes over train so far.
        train_loss, validation_loss: mean cross-entropy, in nats; train_loss with the term of an
            objective.
        validation: value of the judged metric; with `choose_by` on the source's validation rows.
        label_free: criterion -> value, of a plan with `choose_by`.
    """

    step: int
    epoch: float
    train_loss: float
    validation_loss: float
    validation: float
    label_free: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SeedResult(Record):
    """One training run.

    Attributes:
        learning_rate: peak rate (0 for a baseline).
        steps: optimizer steps; of a soup those of one member.
        test, validation: metric name -> value at the end, with the weights that were chosen.
        curve: one point an epoch (empty for a baseline).
        predictions: predicted class of each test example.
        confidences: probability of the predicted class of each test example.
        wall_seconds: training and its evaluations; of a soup those of all members.
        alarms: what was noticed while it trained, first to last.
        weights: which weights validation chose; None in a plan without an average.
        kept_step: optimizer steps of the weights that `choose_by` kept; None without it.
        cost: what it took; None in results of versions that did not measure it.
    """

    seed: int
    learning_rate: float
    steps: int
    test: Mapping[str, float]
    validation: Mapping[str, float]
    curve: tuple[CurvePoint, ...]
    predictions: tuple[int, ...]
    confidences: tuple[float, ...]
    wall_seconds: float
    alarms: tuple[Alarm, ...] = ()
    weights: ChosenWeights | None = None
    kept_step: int | None = None
    cost: RunCost | None = None


@dataclass(frozen=True)
class RunResult(Record):
    """What a plan gave over its seeds.

    Attributes:
        labels: true class of each test example, in the order of the predictions.
        trainable_parameters: weights that train in the last phase.
        parameters: all weights.
        world_size: processes that trained.
        grid: learning rate -> validation metric of the first seed (empty without a grid).
        best_seed: seed whose weights are kept (best validation; the first one on a tie).
        data: fingerprint of the data.
        groups: layer groups that can train, input to head, "base:NAME" (under adapters) among
            them; empty for a baseline.
        transitions: when which of them trained in the run of `best_seed`, first to last.
        adapter_bytes: size of what is new under the plan's adapter, its head included, in bytes.
        model_type: architecture of the network, as its configuration names it; "" for a baseline.
        drift: of the model of `best_seed` from its checkpoint; None where no model was kept.
        weighed: what the weights of source rows left in effect; None in a plan without them.
    """

    plan: Plan
    class_names: tuple[str, ...]
    labels: tuple[int, ...]
    seeds: tuple[SeedResult, ...]
    trainable_parameters: int = 0
    parameters: int = 0
    world_size: int = 1
    grid: Mapping[str, float] = field(default_factory=dict)
    best_seed: int = 0
    data: str = ""
    groups: tuple[str, ...] = ()
    transitions: tuple[Transition, ...] = ()
    adapter_bytes: int = 0
    model_type: str = ""
    drift: Drift | None = None
    weighed: WeighedSource | None = None

    def scores(self) -> tuple[float, ...]:
        """Return the judged test metric of each seed."""
        return tuple(seed.test[self.plan.metric] for seed in self.seeds)

    def handed_over(self) -> tuple[int, ...]:
        """Return the seeds that an alarm ended for the ladder of rescues (`watch: rescue`)."""
        return tuple(
            each.seed
            for each in self.seeds
            if any(alarm.action == "rescue" for alarm in each.alarms)
        )


@dataclass(frozen=True)
class Report(Record):
    """Everything a reader needs to believe a run, or to repeat it.

    Attributes:
        explanation: what `explain` printed before training.
        results: transfer first, then the controls.
        environment: package or machine property -> value.
        command: the exact command that reproduces the run.
        created: ISO date and time, UTC.
        licenses: "checkpoint" and "data" -> licence, where known.
        rescue: the ladder after a transfer that may harm, if it was climbed.
        examples: test examples that transfer loses, as they are shown; empty: none is.
        proposal: what the plan of the transfer came from; None for a plan that was written.
        pretraining: what made the checkpoint from another one, on texts without labels; None where
            nothing says so.
    """

    file_name = "report.json"

    title: str
    task: Task
    data: DataSummary
    ranking: Ranking
    explanation: str
    results: tuple[RunResult, ...]
    verdict: Verdict
    environment: Mapping[str, str]
    command: str
    created: str
    licenses: Mapping[str, str] = field(default_factory=dict)
    rescue: Rescue | None = None
    examples: tuple[ShownExample, ...] = ()
    proposal: Proposal | None = None
    pretraining: MaskedLanguageResult | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON; what made plan or checkpoint is left out where nothing did."""
        data = super().to_json()
        for name in ("proposal", "pretraining"):
            if data[name] is None:
                del data[name]
        return data

    @property
    def source_checkpoint(self) -> str:
        """Return the checkpoint that was there first: before a pretraining that is known of."""
        if self.pretraining is not None:
            return self.pretraining.checkpoint
        return self.transfer.plan.checkpoint

    @property
    def transfer(self) -> RunResult:
        """Return the result of the plan that transfers."""
        return self.results[0]

    @property
    def controls(self) -> tuple[RunResult, ...]:
        """Return the results of the controls."""
        return self.results[1:]
