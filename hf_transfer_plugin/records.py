"""The values that travel along the line: data -> ranking -> plan -> results -> verdict -> report.

Each is a frozen dataclass and one JSON file in the run folder (see `Record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hf_transfer_plugin.phases import Choice, Phase, Transition
from hf_transfer_plugin.serialization import Record

__all__ = [
    "Candidate",
    "Choice",
    "CurvePoint",
    "DataSpec",
    "DataSummary",
    "Outcome",
    "Phase",
    "Plan",
    "Ranking",
    "Report",
    "RunResult",
    "SeedResult",
    "Task",
    "Transition",
    "Verdict",
]

Task = Literal["text-classification", "image-classification"]
Outcome = Literal["helped", "harmed", "equivalent", "inconclusive"]


@dataclass(frozen=True)
class DataSpec(Record):
    """Where the target data lie and which of its columns to read.

    Attributes:
        path: Hub name, image folder, csv / json / parquet file or folder, or `sample:NAME`.
        name: configuration of a Hub dataset.
        revision: commit, tag or branch of a Hub dataset.
        text, text_pair, image, label: column names; None means found from the column types.
        train_split, validation_split, test_split: names of the splits.
        validation_fraction, test_fraction: share of train that is held out (stratified, seeded)
            when the data have no such split.
        train_examples, validation_examples, test_examples: stratified subsample sizes.
        max_length: tokens a text is cut to.
        image_size: pixels of the (square) network input; None means the checkpoint's own.
        seed: seed of every split and subsample; one value for all plans of a run.
    """

    path: str
    name: str | None = None
    revision: str | None = None
    text: str | None = None
    text_pair: str | None = None
    image: str | None = None
    label: str | None = None
    train_split: str = "train"
    validation_split: str = "validation"
    test_split: str = "test"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    train_examples: int | None = None
    validation_examples: int | None = None
    test_examples: int | None = None
    max_length: int = 128
    image_size: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class DataSummary(Record):
    """What the checked data hold.

    Attributes:
        path: as in `DataSpec`.
        fingerprint: hash over the rows that are used.
        class_names: in label order.
        counts: split name -> examples of each class, in label order.
        warnings: findings that do not stop a run, in plain words.
    """

    file_name = "data.json"

    path: str
    fingerprint: str
    class_names: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate(Record):
    """One row of a ranking.

    Attributes:
        checkpoint: Hub name, local folder, `sample:NAME`, or the name of a baseline.
        kind: "pretrained" can be transferred; "random" (same architecture, random weights) and
            "baseline" (no network) are there to compare with.
        scores: score name -> value, higher is better.
        parameters: number of weights, the static prior (0 for a baseline).
        feature_dimensions: width of the pooled features.
        seconds: wall time of features and scores.
        error: why the candidate could not be scored.
    """

    checkpoint: str
    kind: Literal["pretrained", "random", "baseline"]
    scores: Mapping[str, float] = field(default_factory=dict)
    parameters: int = 0
    feature_dimensions: int = 0
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Ranking(Record):
    """WHAT to transfer: candidates, best first.

    Attributes:
        score: name of the score that orders.
        examples: number of training examples that were scored.
        candidates: kind "pretrained", best first; failed ones last.
        baselines: kinds "random" and "baseline".
        findings: plain words, such as that nothing beats the baselines.
        request: hash of everything that was asked for; another one makes the ranking stale.
    """

    file_name = "ranking.json"

    task: Task
    data: str
    score: str
    examples: int
    candidates: tuple[Candidate, ...]
    baselines: tuple[Candidate, ...] = ()
    findings: tuple[str, ...] = ()
    request: str = ""


@dataclass(frozen=True)
class Plan(Record):
    """HOW to transfer; a control is just another plan.

    Attributes:
        name: unique within a run: "transfer", "from-scratch", "tfidf-logistic", ...
        checkpoint: Hub name, local folder, `sample:NAME`, or `baseline:NAME` (no network).
        weights: "random" keeps the architecture and draws new weights.
        schedule: phases of the freezing schedule, first to last.
        training: keyword arguments of `transformers.TrainingArguments`.
        batch_size: examples per optimizer step, over all processes and accumulation steps.
        learning_rates: grid tried with the first seed; validation chooses. Empty: the rate in
            `training` (or its default).
        seeds: one run each; plans of one comparison share them.
        metric: the metric that is judged (higher is better).
        trust_remote_code: run code that comes with the checkpoint.
        prefix_cache: compute frozen layers once where that is exact; see `prefix_cache`.
    """

    file_name = "plan.json"

    name: str
    task: Task
    checkpoint: str
    data: DataSpec
    revision: str | None = None
    weights: Literal["pretrained", "random"] = "pretrained"
    schedule: tuple[Phase, ...] = (Phase(train=("*",)),)
    training: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    learning_rates: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    metric: str = "accuracy"
    trust_remote_code: bool = False
    prefix_cache: bool = True


@dataclass(frozen=True)
class CurvePoint(Record):
    """Validation at the end of an epoch.

    Attributes:
        step: optimizer steps so far.
        epoch: passes over train so far.
        train_loss, validation_loss: mean cross-entropy, in nats.
        validation: value of the judged metric.
    """

    step: int
    epoch: float
    train_loss: float
    validation_loss: float
    validation: float


@dataclass(frozen=True)
class SeedResult(Record):
    """One training run.

    Attributes:
        learning_rate: peak rate (0 for a baseline).
        steps: optimizer steps.
        test, validation: metric name -> value at the end.
        curve: one point an epoch (empty for a baseline).
        predictions: predicted class of each test example.
        confidences: probability of the predicted class of each test example.
        wall_seconds: training and its evaluations.
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

    def scores(self) -> tuple[float, ...]:
        """Return the judged test metric of each seed."""
        return tuple(seed.test[self.plan.metric] for seed in self.seeds)


@dataclass(frozen=True)
class Verdict(Record):
    """WHEN to transfer: transfer minus control on the target's test examples.

    Attributes:
        outcome: "helped" (lower > 0), "harmed" (upper < 0), "equivalent" (the interval lies
            inside the margin) or "inconclusive".
        go: lower > -margin, so transfer does no harm worth speaking of.
        difference: mean of transfer - control, in units of the metric.
        lower, upper: interval at `confidence`; the wider of both below where both exist.
        seed_interval: paired t-interval over seeds.
        item_interval: bootstrap over test examples, or None without predictions.
        seeds: number of paired seeds.
        baseline: name of the control.
        others: verdicts against the other controls.
    """

    file_name = "verdict.json"

    outcome: Outcome
    go: bool
    difference: float
    lower: float
    upper: float
    margin: float
    confidence: float
    seeds: int
    baseline: str
    metric: str = "accuracy"
    transfer_mean: float = float("nan")
    control_mean: float = float("nan")
    seed_interval: tuple[float, float] | None = None
    item_interval: tuple[float, float] | None = None
    others: tuple[Verdict, ...] = ()


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

    @property
    def transfer(self) -> RunResult:
        """Return the result of the plan that transfers."""
        return self.results[0]

    @property
    def controls(self) -> tuple[RunResult, ...]:
        """Return the results of the controls."""
        return self.results[1:]
