"""Several tasks on one network: what is planned, what it gave, and what each task says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.data_records import DataSpec, DataSummary, Task
from hf_transfer_plugin.phases import Phase
from hf_transfer_plugin.records import Plan, RunResult
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.verdict_records import Verdict

__all__ = [
    "SAMPLINGS",
    "KeptTasks",
    "MultitaskPlan",
    "MultitaskReport",
    "MultitaskResult",
    "Sampling",
    "Way",
]

Sampling = Literal["size", "temperature", "round_robin"]
SAMPLINGS: tuple[str, ...] = get_args(Sampling)


@dataclass(frozen=True)
class Way(Record):
    """How tasks share batches and gradients.

    Attributes:
        sampling: "size": each row once an epoch; "temperature": between the two; "round_robin":
            as many rows of each task.
        temperature: rows ** (1 / temperature) weighs a task; read by "temperature" alone.
        pcgrad: project the gradients of tasks that pull against each other (Yu et al. 2020).
    """

    sampling: Sampling = "size"
    temperature: float = 2.0
    pcgrad: bool = False

    @property
    def name(self) -> str:
        """Name of results and lines: "size", "temperature-2", "round-robin", "size-pcgrad"."""
        name = self.sampling.replace("_", "-")
        if self.sampling == "temperature":
            name += f"-{self.temperature:g}"
        return f"{name}-pcgrad" if self.pcgrad else name


@dataclass(frozen=True)
class MultitaskPlan(Record):
    """Several tasks of one modality on one network.

    Attributes:
        tasks: name -> data.
        way: how they share batches and gradients.
        batch_size: rows of an optimizer step, of all tasks together.

    The other attributes are those of `Plan`.
    """

    task: Task
    checkpoint: str
    tasks: Mapping[str, DataSpec]
    way: Way = Way()
    revision: str | None = None
    schedule: tuple[Phase, ...] = (Phase(train=("*",)),)
    adapter: Adapter | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    learning_rates: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    metric: str = "accuracy"
    trust_remote_code: bool = False

    def of_task(self, task: str, name: str = "single") -> Plan:
        """Return the plan of one task alone; trained as it is, it is the control.

        Args:
            task: its name.
            name: of the plan.
        """
        return Plan(
            name=name,
            task=self.task,
            checkpoint=self.checkpoint,
            data=self.tasks[task],
            revision=self.revision,
            schedule=self.schedule,
            adapter=self.adapter,
            training={**self.training, **self._best_by(self.metric)},
            batch_size=self.batch_size,
            learning_rates=self.learning_rates,
            seeds=self.seeds,
            metric=self.metric,
            trust_remote_code=self.trust_remote_code,
        )

    def joint_training(self) -> dict[str, Any]:
        """Return the arguments of the training of all tasks."""
        order = {"train_sampling_strategy": "sequential"}
        return {**self.training, **order, **self._best_by(f"mean_{self.metric}")}

    def _best_by(self, metric: str) -> dict[str, Any]:
        """Choose the best checkpoint, where one is chosen, by what is judged."""
        chooses = self.training.get("load_best_model_at_end")
        return {"metric_for_best_model": metric, "greater_is_better": True} if chooses else {}


@dataclass(frozen=True)
class MultitaskResult(Record):
    """What a multitask plan gave over its seeds.

    Attributes:
        results: task -> result as of a plan of its own, so that `judge` reads it.
        conflicts: of each seed, pair of tasks "a / b" -> share of the batches that held both in
            which their gradients pulled against each other; empty without PCGrad.
        grid: learning rate -> mean over tasks of the validation metric of the first seed.
        best_seed: seed whose models are kept: best mean validation; the first one on a tie.
    """

    plan: MultitaskPlan
    results: Mapping[str, RunResult]
    conflicts: tuple[Mapping[str, float], ...] = ()
    grid: Mapping[str, float] = field(default_factory=dict)
    best_seed: int = 0


@dataclass(frozen=True)
class KeptTasks(Record):
    """The models that a way keeps.

    Attributes:
        seed: of all of them: best mean validation.
        test: task -> metric name -> value on its test split.
    """

    seed: int
    test: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class MultitaskReport(Record):
    """Each task's verdict on each way: multitask minus the task alone.

    Attributes:
        specs: task -> which data were asked for.
        data: task -> what they hold.
        verdicts: way -> task -> verdict.
        harmed: way -> the tasks that it harmed (negative transfer between tasks).
        conflicts: way with PCGrad -> pair of tasks -> mean share over seeds.
        kept: way -> the models in its folder.
        environment: package or machine property -> value.
        command: that repeats the run.
        created: ISO date and time, UTC.
        licenses: "checkpoint" -> licence, where known.
    """

    file_name = "multitask.json"

    title: str
    task: Task
    checkpoint: str
    specs: Mapping[str, DataSpec]
    data: Mapping[str, DataSummary]
    verdicts: Mapping[str, Mapping[str, Verdict]]
    harmed: Mapping[str, tuple[str, ...]]
    conflicts: Mapping[str, Mapping[str, float]]
    kept: Mapping[str, KeptTasks]
    environment: Mapping[str, str]
    command: str
    created: str
    licenses: Mapping[str, str] = field(default_factory=dict)
