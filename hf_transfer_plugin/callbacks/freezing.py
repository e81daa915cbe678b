"""Applies a freezing schedule in any unmodified `transformers.Trainer`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from hf_transfer_plugin.adapt.schedules import FreezingSchedule, ScheduleState
from hf_transfer_plugin.callbacks.freezing_checks import (
    check_distributed,
    check_phases,
    check_rates,
    check_resumed,
)
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.records import Phase

__all__ = ["FreezingCallback"]

logger = logging.getLogger(__name__)


class FreezingCallback(TrainerCallback, ExportableState):
    """Freezes and thaws layer groups while a Trainer runs.

    Leave the model trainable: the callback freezes in `on_train_begin`, when optimizer and
    wrapper exist and hold everything that will ever train. What was frozen before (by PEFT, by
    hand) stays frozen. Which groups train follows from `state.global_step` alone, so a resumed
    run ends with the weights of an uninterrupted one. `on_train_end` makes everything trainable
    again that was.

    Checkpoints hold the schedule, and resuming with another one is an error. (With
    `restore_callback_states_from_checkpoint=True` Trainer itself puts the callback of the
    checkpoint in the place of this one.)

    Logs gain `phase` (from 0) and `trainable_parameters`, and `learning_rate` becomes the rate
    that was used. Reporters named in `report_to` run before the callbacks given to Trainer and
    so see logs without these; `trainer.state.log_history` has them.

    Example:
        >>> trainer = Trainer(..., callbacks=[FreezingCallback(FreezingSchedule.lp_ft())])

    Args:
        schedule: a schedule, or its phases.
        frozen_normalization: "eval" holds frozen layers in eval mode (BatchNorm statistics rest,
            dropout is off); "train" leaves their mode to Trainer, so statistics go on moving.
    """

    def __init__(
        self,
        schedule: FreezingSchedule | Sequence[Phase | Mapping[str, Any]],
        frozen_normalization: Literal["eval", "train"] = "eval",
    ) -> None:
        if not isinstance(schedule, FreezingSchedule):
            schedule = FreezingSchedule.from_phases(schedule)
        if frozen_normalization not in ("eval", "train"):
            raise ScheduleError(
                f"frozen_normalization is {frozen_normalization!r}",
                '"eval" or "train"',
                'use "eval", unless BatchNorm of frozen layers shall follow the new data',
            )
        self.schedule = schedule
        self.frozen_normalization = frozen_normalization
        self.total_steps = 0
        self._switch: GroupSwitch | None = None
        self._current: ScheduleState | None = None
        self._trainable_parameters = 0
        self._scales_rates = False

    def state(self) -> dict[str, Any]:
        """Return what Trainer stores in a checkpoint: the schedule and the length of the run."""
        return {
            "args": {
                "schedule": self.schedule.to_config()["phases"],
                "frozen_normalization": self.frozen_normalization,
            },
            "attributes": {"total_steps": self.total_steps},
        }

    def state_at(self, step: int) -> ScheduleState:
        """Return what holds at an optimizer step of the run that was begun last.

        Raises:
            ScheduleError: before training has begun.
        """
        if not self.total_steps:
            raise ScheduleError(
                f"the state at step {step} was asked for before training began",
                "a run, whose length says where the phases end",
                "use callback.schedule.at(step, total_steps)",
            )
        return self.schedule.at(step, self.total_steps)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check everything that can go wrong later, then apply the phase of the current step."""
        self._restore()  # a run that ended in an exception never reached on_train_end
        self._check_checkpoint(state)
        switch = GroupSwitch(kwargs["model"], pin=self.frozen_normalization == "eval")
        check_phases(self.schedule, state.max_steps, switch, kwargs["optimizer"])
        check_distributed(self.schedule, state.max_steps, switch, args)
        self._scales_rates = check_rates(self.schedule, kwargs["lr_scheduler"])
        self.total_steps, self._switch = state.max_steps, switch
        self._enter(self.state_at(min(state.global_step, state.max_steps)), args)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Enter the next phase when its first step has come, and set the learning rates."""
        current = self.state_at(state.global_step)
        if current != self._current:
            self._enter(current, args)
        if self._scales_rates:
            rates = kwargs["lr_scheduler"].get_last_lr()
            _set_rates(kwargs["optimizer"], [rate * current.rate for rate in rates])

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the phase to the logs, and correct the learning rate by its factor."""
        logs = kwargs.get("logs")
        if self._current is None or logs is None:
            return
        added = {
            "phase": self._current.phase,
            "trainable_parameters": self._trainable_parameters,
        }
        if "learning_rate" in logs and self._scales_rates:
            added["learning_rate"] = logs["learning_rate"] * self._current.rate
        logs.update(added)
        # Trainer keeps a copy that it made just before this hook.
        if state.log_history:
            state.log_history[-1].update(added)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the model as trainable as it was, in no pinned mode."""
        self._restore()
        _forget_graphs(args)

    def _check_checkpoint(self, state: TrainerState) -> None:
        name = type(self).__name__
        # Declared as a list of callbacks; TrainerState turns it into their states by name.
        states = cast(dict[str, Any], state.stateful_callbacks)
        stored = states.get(name)
        if isinstance(stored, list):
            raise ScheduleError(
                f"this Trainer has {len(stored)} callbacks of the type {name}",
                "one schedule at a time",
                "put their phases into one schedule",
            )
        if stored is None:
            # Trainer fails at its next save when a checkpoint lacks a callback that it now has.
            logger.warning(
                "the checkpoint of step %d was made without a schedule; %s goes on from it",
                state.global_step,
                name,
            )
            states[name] = self.state()
        elif state.global_step:
            check_resumed(stored, self.state(), state.max_steps, state.global_step)

    def _enter(self, current: ScheduleState, args: TrainingArguments) -> None:
        assert self._switch is not None
        names = current.resolve(self._switch.groups)
        self._trainable_parameters = self._switch.apply(names)
        self._current = current
        _forget_graphs(args)
        logger.info(
            'phase %d ("%s"), steps %d to %d: %s train (%s weights), rate x %g',
            current.phase,
            current.name,
            current.start,
            current.end,
            ", ".join(names),
            f"{self._trainable_parameters:,}",
            current.rate,
        )

    def _restore(self) -> None:
        if self._switch is not None:
            self._switch.restore()
        self._switch, self._current = None, None


def _set_rates(optimizer: Optimizer, rates: Sequence[Any]) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)  # a captured or compiled step reads this very tensor
        else:
            group["lr"] = rate


def _forget_graphs(args: TrainingArguments) -> None:
    # A compiled backward has the parameters that need gradients built in.
    if args.torch_compile:
        torch._dynamo.reset()
