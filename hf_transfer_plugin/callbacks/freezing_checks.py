"""What must hold before the first step of a run with a freezing schedule."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import TrainerState, TrainingArguments

from hf_transfer_plugin.adapt.schedule_state import BASE, ScheduleState, select_trained
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.base_weights import has_adapters, trains_base
from hf_transfer_plugin.callbacks.deepspeed_freezing import check_deepspeed
from hf_transfer_plugin.callbacks.freezing_run import FreezingRun
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.callbacks.loaded_weights import check_loaded
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.run_settings import activation_checkpointing

__all__ = [
    "check_distributed",
    "check_evaluation",
    "check_resumed",
    "check_run",
    "check_trainable",
]

logger = logging.getLogger(__name__)


def check_run(
    run: FreezingRun, args: TrainingArguments, state: TrainerState, progress: Mapping[str, Any]
) -> None:
    """Check all that can be known before the first step.

    Args:
        run: the run that begins or goes on.
        args: its arguments.
        state: its state.
        progress: how far the run had come that it goes on from; empty when it begins.

    Raises:
        ScheduleError: naming what does not fit the schedule.
    """
    states = run.schedule.states(run.total_steps, steps_per_epoch=run.steps_per_epoch)
    _check_phases(states, run)
    if run.weights.in_backward:
        check_deepspeed(states, run.weights, run.switch.model)
    else:
        check_distributed(states, run.switch, args)
    check_evaluation(states, args)
    _check_base(run, args, state)
    check_loaded(progress.get("weights", ""), run.digest(), state.global_step)
    if progress.get("has_optimizer_state") and not run.has_optimizer_state():
        raise ScheduleError(
            f"the checkpoint of step {state.global_step} came without the state of the optimizer",
            "a whole checkpoint: the run would go on with other weights than an uninterrupted one",
            "save without save_only_model, or start a new run from its weights (from_pretrained) "
            "without resume_from_checkpoint",
        )


def _check_phases(states: Sequence[ScheduleState], run: FreezingRun) -> None:
    """Check that each phase selects something that can train and that the optimizer steps."""
    switch = run.switch
    held = {id(p) for group in run.weights.groups() for p in group}
    tied = switch.tied()
    for state in states:
        label, names = state.label, state.resolve(switch.groups)
        check_trainable(state, switch)
        for name in names:
            missing = [p for p in switch.parameters(name) if id(p) not in held]
            if missing:
                raise ScheduleError(
                    f'{label} trains layer group "{name}", but the optimizer does not hold '
                    f"{len(missing)} of its {switch.size(name)} parameters",
                    "an optimizer with everything that ever trains (Trainer takes what is "
                    "trainable when train() builds it)",
                    "freeze nothing by hand before training, and give the callback to "
                    "Trainer(callbacks=[...]); with an optimizer of your own, give it these "
                    "parameters",
                )
        for name, weights in tied.items():
            if name not in names and weights:
                logger.warning(
                    '%s freezes layer group "%s", and with it %s: tied weights are one weight',
                    label,
                    name,
                    ", ".join(weights),
                )
                weights.clear()  # once is enough


def check_trainable(state: ScheduleState, switch: GroupSwitch) -> None:
    """Check that what a phase selects has something that can train.

    Raises:
        ScheduleError: naming a layer group that was frozen before.
    """
    groups = switch.groups
    trainable = any(map(switch.parameters, state.resolve(groups)))
    for selector in state.train:
        idle = [n for n in select_trained(groups, (selector,)) if not switch.parameters(n)]
        # Adapters sit in some layer groups only, and a glob or top:N covers the others too.
        exact = selector.removeprefix(BASE) in groups.names
        if idle and (exact or not trainable or not has_adapters(switch.model)):
            raise ScheduleError(
                f'{state.label} trains layer group "{idle[0]}", but all {switch.size(idle[0])} of '
                "its parameters were frozen before training began",
                "at least one trainable parameter when train() is called: what is frozen then "
                "never reaches the optimizer",
                "do not freeze it by hand (the schedule does), or leave it out of the phase",
            )


def check_distributed(
    states: Sequence[ScheduleState], switch: GroupSwitch, args: TrainingArguments
) -> None:
    """Check that DistributedDataParallel tolerates parameters without gradient.

    Raises:
        ScheduleError: when it was told to expect all of them, or the same ones, at each step.
    """
    from transformers.training_args import ParallelMode

    trained = [set(state.resolve(switch.groups)) for state in states]
    static = all(set(switch.names) <= names for names in trained)
    static = static and all(state.settings.choose is None for state in states)
    if args.parallel_mode is not ParallelMode.DISTRIBUTED or static:
        return
    # transformers expects all gradients when activations are checkpointed, unless told not to.
    silent = args.ddp_find_unused_parameters is None and activation_checkpointing(args)[0]
    if args.ddp_find_unused_parameters is False or silent:
        came = "activation_checkpointing is on" if silent else "it is False"
        raise ScheduleError(
            "the schedule freezes layer groups, and DistributedDataParallel expects a gradient "
            f"for every weight, as {came}",
            "ddp_find_unused_parameters=True: frozen weights get no gradient",
            "set ddp_find_unused_parameters=True in TrainingArguments",
        )
    if args.ddp_static_graph:
        raise ScheduleError(
            "the schedule freezes layer groups, and ddp_static_graph is True",
            "no static graph: which weights get a gradient changes",
            "remove ddp_static_graph from TrainingArguments",
        )


def check_evaluation(states: Sequence[ScheduleState], args: TrainingArguments) -> None:
    """Check that a phase which waits for a plateau will see evaluations.

    Raises:
        ScheduleError: naming the phase.
    """
    for state in states:
        if state.settings.until_plateau is not None and args.eval_strategy == "no":
            raise ScheduleError(
                f"{state.label} waits for a plateau of validation, and nothing is evaluated",
                'eval_strategy "steps" or "epoch"',
                "set eval_strategy and eval_dataset, or give the phase another end",
            )


def _check_base(run: FreezingRun, args: TrainingArguments, state: TrainerState) -> None:
    if not trains_base(run.schedule):
        return
    if not any(name.startswith(BASE) for name in run.switch.names):
        raise ScheduleError(
            "the schedule trains base weights, and none were thawed before the optimizer was built",
            "the callback in place when the Trainer is built",
            "give the callback to Trainer(callbacks=[...]) instead of add_callback or model_init",
        )
    if args.load_best_model_at_end and args.save_only_model:
        raise ScheduleError(
            "the schedule trains base weights, and save_only_model leaves them out of checkpoints",
            "whole checkpoints: Trainer saves the adapters alone, the rest is in optimizer.pt",
            "remove save_only_model or load_best_model_at_end from TrainingArguments",
        )
    if state.global_step and not run.has_loaded_base:
        raise ScheduleError(
            f"the checkpoint of step {state.global_step} holds no base weights",
            "a whole checkpoint of this schedule, with its optimizer.pt",
            "resume from a checkpoint that was saved without save_only_model",
        )


def check_resumed(
    stored: Mapping[str, Any], own: Mapping[str, Any], total_steps: int, step: int
) -> None:
    """Check that a checkpoint was made under the schedule that is to go on from it.

    Args:
        stored: callback state from the checkpoint.
        own: callback state of the callback that goes on.
        total_steps: optimizer steps of the run that goes on.
        step: optimizer steps that the checkpoint has made.

    Raises:
        ScheduleError: showing both schedules.
    """
    theirs, ours = _settings(stored), _settings(own)
    if theirs != ours:
        raise ScheduleError(
            f"the checkpoint of step {step} was made with {theirs}",
            f"the same schedule as now: {ours}",
            "resume with the schedule of the checkpoint, or start a new run from its weights "
            "(from_pretrained) without resume_from_checkpoint",
        )
    before = stored["attributes"]["total_steps"]
    if before != total_steps:
        logger.warning(
            "the checkpoint of step %d belongs to a run of %d steps and goes on in one of %d: "
            "phases that end at a fraction now end elsewhere",
            step,
            before,
            total_steps,
        )


def _settings(state: Mapping[str, Any]) -> dict[str, Any]:
    args = state["args"]
    phases = FreezingSchedule.from_phases(args["schedule"]).to_config()["phases"]
    for phase in phases:
        phase.pop("name", None)
    settings = ("frozen_normalization", "frozen_dropout")
    return {"phases": phases, **{name: args[name] for name in settings}}
