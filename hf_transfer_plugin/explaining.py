"""What a plan will do and cost, phase by phase, before anything trains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hf_transfer_plugin.adapt.adapter_checks import check_adapter
from hf_transfer_plugin.adapt.average_checks import check_average
from hf_transfer_plugin.adapt.batch_norm import norms_to_adapt
from hf_transfer_plugin.adapt.objective_checks import check_objective_of_plan
from hf_transfer_plugin.adapt.schedule_state import ScheduleState
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import plan_data, train_items
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.explanation import Explanation, PhaseCost
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.run_settings import RunSettings, scheduler_factors

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainingArguments

    from hf_transfer_plugin.step_work import StepWork

__all__ = ["Explanation", "PhaseCost", "explain"]

_POINTS = 400


def explain(
    subject: Plan | nn.Module,
    schedule: FreezingSchedule | None = None,
    args: TrainingArguments | None = None,
    *,
    train_examples: int | None = None,
    frozen_normalization: str = "eval",
    frozen_dropout: bool = False,
) -> Explanation:
    """Say per phase what trains, at which rate, and what it costs; no weight is loaded.

    Args:
        subject: a plan, or a model (then with schedule and args).
        schedule: the freezing schedule of a model.
        args: training arguments of a model.
        train_examples: rows of train; a plan's data are read when this is None.
        frozen_normalization: as for `FreezingCallback`.
        frozen_dropout: as for `FreezingCallback`.

    Raises:
        ScheduleError: when a selector matches no layer group, or a phase would get no step.
        ConfigError: when a model comes without schedule, args or a number of steps.
    """
    frozen = (frozen_normalization, frozen_dropout)
    if isinstance(subject, Plan):
        return _explain_plan(subject, train_examples, frozen)
    if schedule is None or args is None or (args.max_steps <= 0 and train_examples is None):
        raise ConfigError(
            arrived="a model without schedule, args or number of steps",
            expected="explain(model, schedule, args, train_examples=...), or max_steps in args",
            action="give what is missing",
        )
    batch = args.train_batch_size * args.world_size * args.gradient_accumulation_steps
    per_epoch = None if train_examples is None else math.ceil(train_examples / batch)
    if per_epoch is None and any(p.until_epoch is not None for p in schedule.phases):
        raise ConfigError(
            arrived="a phase that ends at an epoch, without the number of rows of train",
            expected="explain(model, schedule, args, train_examples=...)",
            action="give train_examples, or end the phase with until_fraction or until_step",
        )
    name, settings = type(subject).__name__, RunSettings.read(args)
    work = _work(subject)
    return _explain_model(name, subject, schedule, settings, per_epoch, work, frozen)


def _explain_plan(plan: Plan, train_examples: int | None, frozen: tuple[str, bool]) -> Explanation:
    import torch

    if train_examples is None:
        train_examples = train_items(plan, plan_data(plan))
    checkpoint = Checkpoint(
        plan.checkpoint, revision=plan.revision, trust_remote_code=plan.trust_remote_code
    )
    check_objective_of_plan(plan, checkpoint.config())
    reads_weights = plan.adapter is not None and plan.adapter.kind.reads_weights
    with torch.device("cpu" if reads_weights else "meta"):
        model: nn.Module = checkpoint.classifier(
            plan.task, ["a", "b"], weights="random", image_size=plan.data.image_size
        )
        if plan.adapter is not None:
            from hf_transfer_plugin.adapt.adapters import apply_adapter

            check_adapter(plan, model.config)
            model = apply_adapter(model, plan.adapter)
    check_average(plan.average, plan.adapter, plan.schedule, model)
    norms = len(norms_to_adapt(model)) if plan.adapt_batch_norm else 0
    training = dict(plan.training)
    if plan.learning_rates:
        training["learning_rate"] = max(plan.learning_rates)
    settings = RunSettings.read(training)
    per_epoch = math.ceil(train_examples / plan.batch_size)
    schedule = FreezingSchedule(plan.schedule)
    work = _work(model, plan.data.max_length, plan.data.image_size)
    told = _explain_model(plan.checkpoint, model, schedule, settings, per_epoch, work, frozen)
    told = _with_objective(told, plan, work)
    return replace(told, findings=(*told.findings, *_beside_the_phases(plan, norms)))


def _beside_the_phases(plan: Plan, norms: int) -> Iterator[str]:
    """Say what a plan does that the table of phases does not show; `norms` are adapted."""
    if plan.data.augment is not None:
        yield f"training images are augmented: {plan.data.augment.described}"
    if plan.source_weights is not None:
        yield (
            "labelled rows of the source come as often as they look like the target's rows of "
            f"train: {plan.source_weights.described}; costs one forward pass over both domains"
        )
    if norms:
        yield (
            f"after training, {norms} BatchNorms take the statistics of the target's rows of train "
            "(AdaBN, Li et al. 2016); costs one forward pass over them"
        )
    ratio = plan.adapter.lora_plus if plan.adapter is not None else None
    if ratio is not None:
        yield f"LoRA+: the B matrices of the adapter train at {ratio:g} times the rates above"
    average = plan.average
    if average is not None:
        yield (
            f"average {average.described}: {average.kind.holds}; validation chooses between "
            f"average and plain weights; costs {average.cost}"
        )


def _with_objective(told: Explanation, plan: Plan, work: StepWork) -> Explanation:
    """Add the name of the objective, and what its passes cost."""
    if plan.objective is None:
        return told
    kind = plan.objective.kind
    words = f"objective {plan.objective.described}: {kind.holds}; costs {kind.cost}"
    phases = told.phases
    if "source" in kind.reads:
        extra = work.of(()) / work.of(work.bits)
        phases = tuple(
            replace(phase, relative_cost=phase.relative_cost + extra) for phase in phases
        )
        words += f", {100 * extra:.0f} % of a step of full fine-tuning"
    if "second_pass" in kind.reads:
        phases = tuple(replace(phase, relative_cost=2 * phase.relative_cost) for phase in phases)
        words += ", twice the cost of each step"
    return replace(told, phases=phases, findings=(*told.findings, words))


def _work(model: nn.Module, tokens: int | None = None, image_size: int | None = None) -> StepWork:
    from hf_transfer_plugin.layers import layer_groups
    from hf_transfer_plugin.step_work import count_work, work_by_weights

    groups = [group.parameter_names for group in layer_groups(model)]
    return count_work(model, tokens, image_size) or work_by_weights(model, groups)


def _explain_model(
    name: str,
    model: nn.Module,
    schedule: FreezingSchedule,
    settings: RunSettings,
    per_epoch: int | None,
    work: StepWork,
    frozen: tuple[str, bool],
) -> Explanation:
    from hf_transfer_plugin.compatibility import findings
    from hf_transfer_plugin.phase_costs import phase_costs, switch_of

    steps = settings.max_steps
    if steps <= 0:
        steps = math.ceil((per_epoch or 0) * settings.num_train_epochs)
    states = schedule.states(steps, steps_per_epoch=per_epoch)
    switch = switch_of(model, schedule)
    return Explanation(
        model=name,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        total_steps=steps,
        groups=switch.groups.names,
        phases=phase_costs(states, switch, work, settings.learning_rate),
        findings=findings(
            model,
            schedule,
            settings,
            steps,
            steps_per_epoch=per_epoch,
            frozen_normalization=frozen[0],
            frozen_dropout=frozen[1],
        ),
        cost_unit=work.unit,
        curve=_curve(states, settings, steps),
    )


def _curve(
    states: Sequence[ScheduleState], settings: RunSettings, steps: int
) -> tuple[tuple[int, float], ...]:
    """Return the factor on the peak rate at points of the run, with both sides of each border."""
    points = {round(i * (steps - 1) / (_POINTS - 1)) for i in range(_POINTS)}
    points |= {min(settings.warmup(steps), steps - 1)}
    for state in states:
        points |= {step for step in (state.start, state.end - 1) if step < steps}
    ordered = tuple(sorted(points))
    factors = scheduler_factors(settings, steps, ordered)
    curve = []
    for index, step in enumerate(ordered):
        state = next((each for each in states if step < each.end), states[-1])
        factor = state.curve(step)
        if factor is None:
            if factors is None:
                return ()
            factor = factors[index]
        curve.append((step, factor))
    return tuple(curve)
