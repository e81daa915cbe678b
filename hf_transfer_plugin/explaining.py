"""What a plan will do and cost, phase by phase, before anything trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.adapt.schedules import FreezingSchedule, ScheduleState
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import load_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import LayerGroups, layer_groups
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.serialization import Record

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainingArguments

__all__ = ["Explanation", "PhaseCost", "explain"]

_STATES_OF_ADAM = 2
_BYTES = 4
_MIB = 2**20
# Defaults of transformers.TrainingArguments.
_EPOCHS, _RATE = 3.0, 5e-5


@dataclass(frozen=True)
class PhaseCost(Record):
    """One phase of the schedule on this model.

    Attributes:
        name: of the phase.
        start, end: first optimizer step, and the step after the last.
        groups: layer groups that train, input to head.
        trainable_parameters: weights in them.
        share: of all weights, 0..1.
        peak_rate: highest learning rate of the phase, before warm-up and decay.
        optimizer_mib: memory of AdamW's two states for them, in MiB.
        relative_cost: estimated time of a step against full fine-tuning, 0..1, counted in weights
            (forward through all, backward down to the lowest trained group). Convolutions do most
            of their work in the first layers, so for them it is too low.
    """

    name: str
    start: int
    end: int
    groups: tuple[str, ...]
    trainable_parameters: int
    share: float
    peak_rate: float
    optimizer_mib: float
    relative_cost: float


@dataclass(frozen=True)
class Explanation(Record):
    """What will happen; `str()` gives it as text.

    Attributes:
        model: name of the checkpoint or class of the model.
        parameters: all weights.
        total_steps: optimizer steps.
        groups: all layer groups, input to head.
        phases: first to last.
    """

    file_name = "explanation.json"

    model: str
    parameters: int
    total_steps: int
    groups: tuple[str, ...]
    phases: tuple[PhaseCost, ...]

    def __str__(self) -> str:
        """Return a table for a terminal or a report."""
        first, last = self.groups[0], self.groups[-1]
        lines = [
            f"{self.model}: {self.parameters:,} weights in {len(self.groups)} layer groups "
            f"({first} ... {last}), {self.total_steps} optimizer steps",
            "",
            f"{'phase':<22}{'steps':>12}{'trains':>14}{'share':>9}{'peak rate':>12}"
            f"{'optimizer':>12}{'cost':>8}",
        ]
        for phase in self.phases:
            lines.append(
                f"{phase.name[:21]:<22}{f'{phase.start}-{phase.end}':>12}"
                f"{phase.trainable_parameters:>14,}{phase.share:>9.2%}{phase.peak_rate:>12.2g}"
                f"{f'{phase.optimizer_mib:.1f} MiB':>12}{phase.relative_cost:>8.0%}"
            )
        lines += ["", "cost: estimated time of a step against full fine-tuning, by weights"]
        return "\n".join(lines)


def explain(
    subject: Plan | nn.Module,
    schedule: FreezingSchedule | None = None,
    args: TrainingArguments | None = None,
    *,
    train_examples: int | None = None,
) -> Explanation:
    """Say per phase what trains, at which rate, and what it costs; no weight is loaded.

    Args:
        subject: a plan, or a model (then with schedule and args).
        schedule: the freezing schedule of a model.
        args: training arguments of a model.
        train_examples: rows of train; a plan's data are read when this is None.

    Raises:
        ScheduleError: when a selector matches no layer group, or a phase would get no step.
        ConfigError: when a model comes without schedule, args or a number of steps.
    """
    if isinstance(subject, Plan):
        return _explain_plan(subject, train_examples)
    if schedule is None or args is None or (args.max_steps <= 0 and train_examples is None):
        raise ConfigError(
            arrived="a model without schedule, args or number of steps",
            expected="explain(model, schedule, args, train_examples=...), or max_steps in args",
            action="give what is missing",
        )
    steps = args.max_steps
    if steps <= 0:
        batch = args.train_batch_size * args.world_size * args.gradient_accumulation_steps
        steps = math.ceil(math.ceil((train_examples or 0) / batch) * args.num_train_epochs)
    name = type(subject).__name__
    return _explain_model(name, subject, schedule, steps, float(args.learning_rate))


def _explain_plan(plan: Plan, train_examples: int | None) -> Explanation:
    import torch

    if train_examples is None:
        train_examples = sum(load_data(plan.data, plan.task).summary.counts["train"])
    checkpoint = Checkpoint(
        plan.checkpoint, revision=plan.revision, trust_remote_code=plan.trust_remote_code
    )
    with torch.device("meta"):
        model = checkpoint.classifier(
            plan.task, ["a", "b"], weights="random", image_size=plan.data.image_size
        )
    rates = plan.learning_rates or (_number(plan.training, "learning_rate", _RATE),)
    steps = _total_steps(plan, train_examples)
    return _explain_model(
        plan.checkpoint, model, FreezingSchedule(plan.schedule), steps, max(rates)
    )


def _total_steps(plan: Plan, train_examples: int) -> int:
    given = int(_number(plan.training, "max_steps", -1))
    if given > 0:
        return given
    per_epoch = math.ceil(train_examples / plan.batch_size)
    return math.ceil(per_epoch * _number(plan.training, "num_train_epochs", _EPOCHS))


def _number(training: Mapping[str, Any], key: str, default: float) -> float:
    value = training.get(key, default)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"training.{key}: {value!r}", "a number", f"correct training.{key}"
        ) from None


def _explain_model(
    name: str, model: nn.Module, schedule: FreezingSchedule, steps: int, rate: float
) -> Explanation:
    groups = layer_groups(model)
    sizes = {key: parameter.numel() for key, parameter in model.named_parameters()}
    looked_up = _embedding_parameters(model)
    total = sum(sizes.values())
    phases = []
    for start, _ in schedule.boundaries(steps):
        state = schedule.at(start, steps)
        factors = state.resolve(groups)
        trained = sum(sizes[p] for g in groups if g.name in factors for p in g.parameter_names)
        phases.append(
            PhaseCost(
                name=state.name,
                start=state.start,
                end=state.end,
                groups=tuple(factors),
                trainable_parameters=trained,
                share=trained / total,
                peak_rate=rate * max(factors.values()),
                optimizer_mib=trained * _STATES_OF_ADAM * _BYTES / _MIB,
                relative_cost=_relative_cost(groups, state, sizes, looked_up),
            )
        )
    names = tuple(group.name for group in groups)
    return Explanation(name, total, steps, names, tuple(phases))


def _relative_cost(
    groups: LayerGroups, state: ScheduleState, sizes: Mapping[str, int], looked_up: set[str]
) -> float:
    work = {g.name: sum(sizes[p] for p in g.parameter_names if p not in looked_up) for g in groups}
    trained = state.resolve(groups)
    lowest = min(group.depth for group in groups if group.name in trained)
    forward = sum(work.values())
    backward = sum(work[group.name] for group in groups if group.depth >= lowest)
    update = sum(work[name] for name in trained)
    return (forward + backward + update) / (3 * forward)


def _embedding_parameters(model: nn.Module) -> set[str]:
    """Return the tables that are looked up, not multiplied."""
    from torch import nn

    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding)
    }
