"""What a proposal is made from, and what it says: one JSON file in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.average_records import Average
from hf_transfer_plugin.data_records import Task
from hf_transfer_plugin.domain_kinds import Labels
from hf_transfer_plugin.objective_records import Objective
from hf_transfer_plugin.serialization import Record

__all__ = ["Cost", "Facts", "Kept", "Option", "Pilot", "PilotRun", "Proposal", "Reason"]

#: What a reason is about.
Axis = Literal["schedule and adapter", "objective", "average", "learning rate", "length"]


@dataclass(frozen=True)
class Kept(Record):
    """What the user has written; a proposal fills in the rest alone.

    Attributes:
        schedule: as a config has it; None leaves it open.
        adapter, objective, average: None leaves the first two open; no average is ever proposed.
        training: keyword arguments of `transformers.TrainingArguments`.
        learning_rates: a grid; with it no rate is proposed.
    """

    schedule: Mapping[str, Any] | None = None
    adapter: Adapter | None = None
    objective: Objective | None = None
    average: Average | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    learning_rates: tuple[float, ...] = ()

    @property
    def has_rate(self) -> bool:
        """Tell whether the learning rate is decided."""
        return bool(self.learning_rates) or "learning_rate" in self.training

    @property
    def has_length(self) -> bool:
        """Tell whether the length of a training is decided."""
        return self.training.get("max_steps", -1) > 0 or "num_train_epochs" in self.training


@dataclass(frozen=True)
class Facts(Record):
    """All that a proposal reads; nothing of it comes from the test split.

    Attributes:
        task: what is to be learned.
        class_rows: labelled training rows of each class, in label order.
        unlabelled_rows: rows of a target without labels; 0 where one domain trains.
        checkpoint: what is transferred.
        parameters: its weights; 0 where not known.
        blocks: its layer groups between input and head; 0 where not known.
        batch_size: rows of an optimizer step.
        seeds: trainings of the transfer.
        labels: whose labels train.
        readout: best accuracy of a nearest-neighbour or linear readout of frozen features, from
            the ranking; None without such a score.
        ahead: lowest of the differences between the ranking's score of the checkpoint and that of
            its baselines; None without a forecast.
        ahead_lower: lower end of its interval.
        boundary: layer group from which on the layers belong to the source, from a layer profile
            of this checkpoint on these data; None without a profile or a boundary.
        beyond: selectors of what trains when the layers before the boundary are frozen.
        pass_seconds: of one forward pass over the labelled rows, measured on this machine by the
            ranking; None where it was not.
        device: accelerator, "" for the processor alone.
        prefix_cache: frozen layers are computed once.
        budget_minutes: of training the transfer with all its seeds, pilot included; None: no limit.
        kept: what the user has written.
    """

    task: Task
    class_rows: tuple[int, ...]
    checkpoint: str
    unlabelled_rows: int = 0
    parameters: int = 0
    blocks: int = 0
    batch_size: int = 32
    seeds: int = 1
    labels: Labels = "target"
    readout: float | None = None
    ahead: float | None = None
    ahead_lower: float | None = None
    boundary: str | None = None
    beyond: tuple[str, ...] = ()
    pass_seconds: float | None = None
    device: str = ""
    prefix_cache: bool = True
    budget_minutes: float | None = None
    kept: Kept = field(default_factory=Kept)

    @property
    def rows(self) -> int:
        """Return the labelled rows that train."""
        return sum(self.class_rows)

    @property
    def per_class(self) -> float:
        """Return the mean number of labelled rows of a class."""
        return self.rows / len(self.class_rows)

    @property
    def is_text(self) -> bool:
        """Tell whether texts are classified."""
        return self.task == "text-classification"


@dataclass(frozen=True)
class Cost(Record):
    """What all seeds of the transfer are expected to take; an estimate.

    Attributes:
        examples: rows that are trained on, epochs and seeds counted.
        passes: forward passes over the training rows that take as long.
        seconds: passes times the measured seconds of one; None where none was measured.
        memory: bytes of weights, gradients and Adam's two moments; activations come on top.
    """

    examples: int
    passes: float
    seconds: float | None
    memory: int


@dataclass(frozen=True)
class Reason(Record):
    """Why something is proposed.

    Attributes:
        axis: what it is about.
        choice: what is proposed.
        why: plain words.
        figure: the measured figure it rests on, as the source has it; "" for a convention.
        source: the committed table or page, or paper and year of a convention.
    """

    axis: Axis
    choice: str
    why: str
    figure: str
    source: str


@dataclass(frozen=True)
class Option(Record):
    """One way to transfer, whole enough to be trained.

    Attributes:
        name: of the way.
        schedule: as a config has it.
        adapter, objective: None for none.
        learning_rate: the peak; None where the user's stays.
        epochs: over the labelled rows; None where the user's length stays.
        cost: of all seeds.
        reasons: for the way, the rate and the length.
        left_out: why it cannot be chosen; "" where it can.
    """

    name: str
    schedule: Mapping[str, Any]
    adapter: Adapter | None
    objective: Objective | None
    learning_rate: float | None
    epochs: float | None
    cost: Cost
    reasons: tuple[Reason, ...]
    left_out: str = ""


@dataclass(frozen=True)
class PilotRun(Record):
    """One short training of a pilot.

    Attributes:
        option: name of what was trained.
        share: of its full length.
        validation: the metric that chooses, on validation rows.
        examples: rows that were trained on.
        seconds: wall time, validation included.
    """

    option: str
    share: float
    validation: float
    examples: int
    seconds: float


@dataclass(frozen=True)
class Pilot(Record):
    """A comparison of options on validation rows, one seed each.

    Attributes:
        seed: of all trainings.
        metric: that was compared, larger is better.
        rows: validation rows.
        noise: standard error of the best of the last round; options no further behind count as
            level with it.
        runs: in the order of training.
        chosen: name of the option.
        why: plain words.
    """

    seed: int
    metric: str
    rows: int
    noise: float
    runs: tuple[PilotRun, ...]
    chosen: str
    why: str

    @property
    def seconds(self) -> float:
        """Return the wall time of all trainings."""
        return sum(each.seconds for each in self.runs)

    @property
    def examples(self) -> int:
        """Return the rows of all trainings, epochs counted."""
        return sum(each.examples for each in self.runs)


@dataclass(frozen=True)
class Proposal(Record):
    """HOW to transfer, proposed: what is chosen, why, and what else there was.

    Attributes:
        facts: what it was made from.
        options: all that were considered, in the order of the rules.
        chosen: name of the option that is chosen.
        findings: plain words on what the rules cannot decide, or what lies outside of a plan.
        pilot: the comparison that chose; None where the rules alone did.
    """

    file_name = "proposal.json"

    facts: Facts
    options: tuple[Option, ...]
    chosen: str
    findings: tuple[str, ...] = ()
    pilot: Pilot | None = None

    @property
    def option(self) -> Option:
        """Return what is chosen."""
        return next(each for each in self.options if each.name == self.chosen)
