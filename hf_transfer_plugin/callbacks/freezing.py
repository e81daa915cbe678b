"""Applies a freezing schedule in any unmodified `transformers.Trainer`."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from hf_transfer_plugin.adapt.schedule_state import ScheduleState
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.base_weights import thaw_base
from hf_transfer_plugin.callbacks.carried_tensors import tensors_in
from hf_transfer_plugin.callbacks.complete_checkpoints import set_aside_incomplete
from hf_transfer_plugin.callbacks.freezing_checks import check_resumed, check_run
from hf_transfer_plugin.callbacks.freezing_run import FreezingRun, forget_graphs
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.callbacks.loaded_weights import translate_names
from hf_transfer_plugin.callbacks.pinning import MODES, Pins
from hf_transfer_plugin.callbacks.report_order import add_to_logs, move_to_front, take_back
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.phases import Phase, Transition

__all__ = ["FreezingCallback"]

logger = logging.getLogger(__name__)


class FreezingCallback(TrainerCallback, ExportableState):
    """Freezes and thaws layer groups, and sets their rates, while a Trainer runs.

    Leave the model trainable: the callback freezes in `on_train_begin`, when optimizer and
    wrapper exist and hold everything that will ever train. What was frozen before (by PEFT, by
    hand) stays frozen, unless a phase trains "base:SELECTOR". What trains follows from
    `state.global_step` and a small record in the checkpoint, so a resumed run ends with the
    weights of an uninterrupted one. `on_train_end` makes everything trainable again that was.

    Checkpoints hold the schedule, and resuming with another one is an error. (With
    `restore_callback_states_from_checkpoint=True` Trainer itself puts the callback of the
    checkpoint in the place of this one.) Checkpoints in `output_dir` that a killed run left half
    written are set aside when the Trainer is built, so that `resume_from_checkpoint=True` takes
    the last whole one.

    Logs gain `phase` (from 0), `trainable_parameters`, `trainable_share` (of all weights, 0 to 1)
    and `rate/GROUP` for each layer group (0 when it is frozen); `learning_rate` becomes the highest
    of them. Reporters named in `report_to` see them too.

    Examples:
        >>> trainer = Trainer(..., callbacks=[FreezingCallback(FreezingSchedule.lp_ft())])

    Args:
        schedule: a schedule, or its phases.
        frozen_normalization: what BatchNorm does in frozen layers: "eval" normalises by its
            running statistics, which rest; "keep" normalises by the batch, and the statistics
            rest; "train" normalises by the batch and moves them.
        frozen_dropout: leave the dropout of frozen layers on.

    Attributes:
        trainable_parameters: weights that trained in the last phase of the last run.
        transitions: what the last call of `train()` trained from which step on.
        group_names: layer groups that could train in it, input to head.
    """

    def __init__(
        self,
        schedule: FreezingSchedule | Sequence[Phase | Mapping[str, Any]],
        frozen_normalization: Literal["eval", "keep", "train"] = "eval",
        frozen_dropout: bool = False,
    ) -> None:
        if not isinstance(schedule, FreezingSchedule):
            schedule = FreezingSchedule.from_phases(schedule)
        if frozen_normalization not in MODES:
            raise ScheduleError(
                f"frozen_normalization is {frozen_normalization!r}",
                '"eval", "keep" or "train"',
                'use "eval", unless BatchNorm of frozen layers shall follow the new data',
            )
        self.schedule = schedule
        self.frozen_normalization: str = frozen_normalization
        self.frozen_dropout = frozen_dropout
        self.total_steps = 0
        self.steps_per_epoch: float | None = None
        self.progress: dict[str, Any] = {}
        self._run: FreezingRun | None = None
        self.base: list[str] = []
        self.trainable_parameters = 0
        self.transitions: list[Transition] = []
        self.group_names: tuple[str, ...] = ()

    def state(self) -> dict[str, Any]:
        """Return what Trainer stores in a checkpoint: the schedule, and how far it has come."""
        return {
            "args": {
                "schedule": self.schedule.to_config()["phases"],
                "frozen_normalization": self.frozen_normalization,
                "frozen_dropout": self.frozen_dropout,
            },
            "attributes": {
                "total_steps": self.total_steps,
                "progress": self._run.progress() if self._run is not None else self.progress,
                "base": self.base,
            },
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
        return self.schedule.at(
            step,
            self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
            plateaus=self._run.plateaus if self._run is not None else self.progress["plateaus"],
        )

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Prepare what must be right before the optimizer is built and a checkpoint is loaded."""
        move_to_front(self)
        with args.main_process_first(local=False, desc="looking for half written checkpoints"):
            if args.should_save:
                set_aside_incomplete(str(args.output_dir), world_size=args.world_size)
        if kwargs["model"] is not None:
            translate_names(kwargs["model"])
            self.base = thaw_base(kwargs["model"], self.schedule)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check everything that can go wrong later, then apply what holds at the current step."""
        self._close()  # a run that ended in an exception never reached on_train_end
        move_to_front(self)
        self.progress = self._check_checkpoint(state)
        model: nn.Module = kwargs["model"]
        pins = Pins(self.frozen_normalization, self.frozen_dropout)
        switch = GroupSwitch(model, pins, self.base)
        per_epoch = _steps_per_epoch(args, kwargs.get("train_dataloader"))
        run = FreezingRun(
            self.schedule, switch, args, state, kwargs["optimizer"], per_epoch, self.progress
        )
        try:
            check_run(run, args, state, self.progress)
            run.before_step(state.global_step)
        except BaseException:
            run.close()
            raise
        self.total_steps, self.steps_per_epoch, self._run = state.max_steps, per_epoch, run
        self.group_names, self.transitions = switch.names, []
        self._note(run, state.global_step)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Enter the next phase when its first step has come, and set the learning rates."""
        if self._run is not None:
            self._run.before_step(state.global_step)
            self._note(self._run, state.global_step)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure the gradients of the step, when the phase chooses by them."""
        if self._run is not None:
            self._run.before_update(state.global_step)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Follow the metric, when the phase waits for a plateau."""
        if self._run is not None:
            self._run.evaluated(state.global_step, kwargs.get("metrics") or {})
            take_back(kwargs.get("metrics"), tuple(self._run.logged()))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the phase and the rate of each layer group to the logs."""
        logs = kwargs.get("logs")
        if self._run is None or logs is None:
            return
        added = self._run.logged()
        if "learning_rate" in logs:
            added |= self._run.logged_rates()
        add_to_logs(state, logs, added)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the model as trainable as it was, in no pinned mode."""
        if self._run is not None and self.base and args.load_best_model_at_end:
            # Trainer has just loaded the adapters of the best checkpoint, and these alone.
            best = state.best_model_checkpoint
            self._run.restore_base(tensors_in(best).get("base", {}) if best else {})
        self._close()
        forget_graphs(args)

    def _check_checkpoint(self, state: TrainerState) -> dict[str, Any]:
        """Check that the schedule is that of the checkpoint; return how far it had come."""
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
            return {}
        if not state.global_step:
            return {}
        check_resumed(stored, self.state(), state.max_steps, state.global_step)
        return dict(stored["attributes"]["progress"])

    def _note(self, run: FreezingRun, step: int) -> None:
        assert run.current is not None
        phase, last = run.current.phase, self.transitions[-1] if self.transitions else None
        if last is None or last.phase != phase or last.factors.keys() != run.factors.keys():
            self.transitions.append(Transition(step, phase, dict(run.factors)))

    def _close(self) -> None:
        if self._run is not None:
            self.progress = self._run.progress()
            self.trainable_parameters = self._run.trainable_parameters
            self._run.close()
        self._run = None


def _steps_per_epoch(args: TrainingArguments, dataloader: Any) -> float | None:
    """Return the optimizer steps of an epoch as Trainer counts them; None when it cannot tell."""
    try:
        batches = len(dataloader)
    except TypeError:
        return None
    return max(math.ceil(batches / args.gradient_accumulation_steps), 1)
