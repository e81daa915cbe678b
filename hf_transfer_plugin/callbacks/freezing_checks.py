"""What must hold before the first step of a run with a freezing schedule."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LambdaLR, OneCycleLR
from transformers import TrainingArguments

from hf_transfer_plugin.adapt.schedules import FreezingSchedule, ScheduleState
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import select_groups

__all__ = ["check_distributed", "check_phases", "check_rates", "check_resumed"]

logger = logging.getLogger(__name__)

# These compute the rate from the initial one, so a factor on the current rate never feeds back.
# transformers builds its schedules as LambdaLR, except plateau and greedy.
CLOSED_FORM = (LambdaLR.get_lr, OneCycleLR.get_lr, CosineAnnealingWarmRestarts.get_lr)


def check_phases(
    schedule: FreezingSchedule, total_steps: int, switch: GroupSwitch, optimizer: Optimizer
) -> None:
    """Check that each phase selects something that can train and that the optimizer steps.

    Raises:
        ScheduleError: naming the phase and the layer group.
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    tied = switch.tied()
    for start, _ in schedule.boundaries(total_steps):
        state = schedule.at(start, total_steps)
        label = f'phase {state.phase} ("{state.name}")'
        names = state.resolve(switch.groups)
        _check_trainable(label, state, switch)
        for name in names:
            missing = [p for p in switch.parameters(name) if id(p) not in held]
            if missing:
                raise ScheduleError(
                    f'{label} trains layer group "{name}", but the optimizer does not hold '
                    f"{len(missing)} of its {switch.size(name)} parameters",
                    "an optimizer with everything that ever trains (Trainer takes what is "
                    "trainable when train() builds it)",
                    "freeze nothing by hand before training; with an optimizer of your own, give "
                    "it these parameters; DeepSpeed replaces the parameters and is not supported",
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


def _check_trainable(label: str, state: ScheduleState, switch: GroupSwitch) -> None:
    for selector in state.train:
        names = select_groups(switch.groups, (selector,))
        idle = [name for name in names if not switch.parameters(name)]
        # Adapters sit in some layer groups only, and a glob or top:N covers the others too.
        if idle and not (any(map(switch.parameters, names)) and _has_adapters(switch)):
            raise ScheduleError(
                f'{label} trains layer group "{idle[0]}", but all {switch.size(idle[0])} of its '
                "parameters were frozen before training began",
                "at least one trainable parameter when train() is called: what is frozen then "
                "never reaches the optimizer",
                "do not freeze it by hand (the schedule does), or leave it out of the phase",
            )


def _has_adapters(switch: GroupSwitch) -> bool:
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    return any(isinstance(m, PeftModel | BaseTunerLayer) for m in switch.model.modules())


def check_rates(schedule: FreezingSchedule, scheduler: object) -> bool:
    """Return whether any phase has a rate other than 1, if the scheduler can bear that.

    Raises:
        ScheduleError: for a scheduler that derives the next rate from the current one: it would
            multiply the factor in again at each step.
    """
    scaled = [(i, phase) for i, phase in enumerate(schedule.phases) if phase.rate != 1]
    if scaled and getattr(type(scheduler), "get_lr", None) not in CLOSED_FORM:
        index, phase = scaled[0]
        raise ScheduleError(
            f"phase {index} has rate = {phase.rate}, and the learning rate scheduler is "
            f"{type(scheduler).__name__}, which derives each rate from the one before",
            "a scheduler that computes the rate from the step, such as linear, cosine or constant",
            'set lr_scheduler_type="linear" in TrainingArguments, or leave every rate at 1',
        )
    return bool(scaled)


def check_distributed(
    schedule: FreezingSchedule, total_steps: int, switch: GroupSwitch, args: TrainingArguments
) -> None:
    """Check that DistributedDataParallel tolerates parameters without gradient.

    Raises:
        ScheduleError: when it was told to expect all of them, or the same ones, at each step.
    """
    from transformers.training_args import ParallelMode

    if args.parallel_mode is not ParallelMode.DISTRIBUTED:
        return
    states = [schedule.at(start, total_steps) for start, _ in schedule.boundaries(total_steps)]
    everything = all(len(state.resolve(switch.groups)) == len(switch.groups) for state in states)
    for name, wrong in (("ddp_find_unused_parameters", False), ("ddp_static_graph", True)):
        if not everything and getattr(args, name) is wrong:
            raise ScheduleError(
                f"the schedule freezes layer groups, and {name} is {wrong}",
                "find_unused_parameters=True and no static graph: frozen weights get no gradient",
                f"remove {name} from TrainingArguments",
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
    return {"phases": phases, "frozen_normalization": args["frozen_normalization"]}
