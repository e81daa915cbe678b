"""One training run under a freezing schedule: from its first step to its last."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, TrainerState, TrainingArguments

from hf_transfer_plugin.adapt.schedule_state import BASE, ScheduleState, trained_later
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.base_weights import copy_into
from hf_transfer_plugin.callbacks.carried_tensors import CarriedTensors, Tensors
from hf_transfer_plugin.callbacks.deepspeed_freezing import stepped_weights
from hf_transfer_plugin.callbacks.group_rates import GroupRates
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.callbacks.input_gradients import without_input_gradients
from hf_transfer_plugin.callbacks.loaded_weights import digest
from hf_transfer_plugin.callbacks.measuring import Measuring
from hf_transfer_plugin.callbacks.plateau import PlateauWatch
from hf_transfer_plugin.run_settings import activation_checkpointing

__all__ = ["FreezingRun"]

logger = logging.getLogger(__name__)


class FreezingRun:
    """Holds what belongs to one run: switches, rates, measurements, best weights.

    Args:
        schedule: what to apply.
        switch: the layer groups of the model.
        args: arguments of the run.
        state: its state; a resumed run has made steps already.
        optimizer: what Trainer gives to callbacks.
        steps_per_epoch: optimizer steps of an epoch, when it is known.
        progress: what `progress()` returned in the run that is resumed.
    """

    def __init__(
        self,
        schedule: FreezingSchedule,
        switch: GroupSwitch,
        args: TrainingArguments,
        state: TrainerState,
        optimizer: Any,
        steps_per_epoch: float | None,
        progress: Mapping[str, Any],
    ) -> None:
        self.schedule, self.switch = schedule, switch
        self._args = args
        self.weights = stepped_weights(optimizer)
        self.total_steps, self.steps_per_epoch = state.max_steps, steps_per_epoch
        self.current: ScheduleState | None = None
        self.factors: dict[str, float] = {}
        self.trainable_parameters = 0
        self._parameters = sum(each.numel() for each in switch.model.parameters())
        self._carried = CarriedTensors(self.weights.optimizer, self._tensors)
        loaded = self._carried.loaded
        self._measuring = Measuring(switch, progress.get("measured"))
        self._watch = PlateauWatch(
            switch, args, progress.get("plateaus", ()), progress.get("watch"), loaded.get("best")
        )
        self.has_loaded_base = "base" in loaded
        if state.global_step:
            copy_into(switch.model, loaded.get("base", {}))
        self._rates = GroupRates(self.weights)
        self._unasked: list[PreTrainedModel] = []
        if activation_checkpointing(args)[0]:
            self._unasked = without_input_gradients(switch.model, args)
        self._first_gradients = False
        self._members = {name: switch.parameters(name) for name in switch.names}
        self._bases: list[float] = self._rates.bases()

    def progress(self) -> dict[str, Any]:
        """Return what a resumed run must know beside the step, for JSON."""
        return {
            "plateaus": list(self.plateaus),
            "measured": self._measuring.record(),
            "watch": self._watch.record(),
            "weights": self.digest(),
            "has_optimizer_state": self.has_optimizer_state(),
        }

    def has_optimizer_state(self) -> bool:
        """Tell whether the optimizer keeps anything for any weight."""
        return any(self.weights.optimizer.state.values())

    @property
    def plateaus(self) -> Sequence[int]:
        """The steps at which phases that wait for a plateau have ended."""
        return self._watch.plateaus

    def state_at(self, step: int) -> ScheduleState:
        """Return what holds at an optimizer step."""
        return self.schedule.at(
            min(step, self.total_steps),
            self.total_steps,
            steps_per_epoch=self.steps_per_epoch,
            plateaus=self.plateaus,
        )

    def before_step(self, step: int) -> None:
        """Apply what holds at an optimizer step: layer groups when they change, rates always."""
        self._apply(step)
        self._bases = self._rates.bases()  # the scheduler moves on before anything is logged

    def _apply(self, step: int) -> None:
        if self.current is not None and self._lasts(self.current, step):
            self._rates.follow(self.current.curve(step))
            return
        state = self.state_at(step)
        if self.current is None or state.phase != self.current.phase:
            self._restore_best(state, step)
        self._measuring.begin(state)
        factors = state.resolve(self.switch.groups, self._measuring.measured)
        if self.current != state or factors.keys() != self.factors.keys():
            self._enter(state, factors)
        self._rate(factors)
        self._rates.follow(state.curve(min(step, self.total_steps - 1)))

    def _lasts(self, state: ScheduleState, step: int) -> bool:
        """Tell at little cost, at each step, that nothing but a curve can have changed."""
        ended = self.plateaus and self.plateaus[-1] == step
        return state.settings.choose is None and state.start <= step < state.end and not ended

    def before_update(self, step: int) -> None:
        """Take the gradients of a step: measure them, and miss none that should be there."""
        assert self.current is not None
        if self.weights.in_backward:
            return  # the step has been made
        if self._first_gradients:
            self._first_gradients = False
            self._warn_without_gradient()
        self._measuring.observe(self.current, step)
        choice = self.current.settings.choose
        if choice is not None and choice.by == "relative_gradient":
            measured = self._measuring.measured
            self._rate(self.current.resolve(self.switch.groups, measured))

    def evaluated(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take the metrics of an evaluation."""
        if self.current is not None:
            self._watch.observe(self.current, step, metrics)

    def logged(self) -> dict[str, float]:
        """Return the phase, the number of weights that train, and their share of all."""
        assert self.current is not None
        return {
            "phase": self.current.phase,
            "trainable_parameters": self.trainable_parameters,
            "trainable_share": self.trainable_parameters / self._parameters,
        }

    def logged_rates(self) -> dict[str, float]:
        """Return the rate of each layer group in the last step, and the highest of them."""
        rates = self._rates.rates(self._bases, self._members)
        by_group = {f"rate/{name}": rate for name, rate in rates.items()}
        return {"learning_rate": max(rates.values(), default=0.0), **by_group}

    def restore_base(self, tensors: Tensors) -> None:
        """Put back base weights that Trainer does not know to load."""
        copy_into(self.switch.model, tensors)

    def close(self) -> None:
        """Leave model and optimizer as they were."""
        self._rates.remove()
        self._carried.remove()
        self.weights.remove()
        self.switch.restore()
        for module in self._unasked:
            module.enable_input_require_grads()

    def digest(self) -> str:
        """Return a digest of the weights that can train."""
        names = self.switch.names
        return digest(p for name in names for p in self.switch.parameters(name))

    def _tensors(self) -> dict[str, Tensors]:
        base = {
            name: parameter.detach()
            for group in self.switch.names
            if group.startswith(BASE)
            for name, parameter in self.switch.named(group).items()
        }
        return {"base": base, "best": self._watch.best}

    def _restore_best(self, state: ScheduleState, step: int) -> None:
        # Momentum belongs to the weights that are left behind.
        for parameter in copy_into(self.switch.model, self._watch.take_best(state, step)):
            self.weights.forget(parameter)

    def _rate(self, factors: Mapping[str, float]) -> None:
        if self.factors != factors:
            self.factors = dict(factors)
            self._rates.set(factors, self._members)

    def _enter(self, state: ScheduleState, factors: Mapping[str, float]) -> None:
        only = self._only(state)
        self.trainable_parameters = self.switch.apply(factors, only)
        self.current, self._first_gradients = state, True
        self._release(state)
        forget_graphs(self._args)
        logger.info(
            "%s, steps %d to %d: %s train (%s weights)",
            state.label,
            state.start,
            state.end,
            ", ".join(factors),
            f"{self.trainable_parameters:,}",
        )

    def _only(self, state: ScheduleState) -> frozenset[str] | None:
        partial = state.partial(self.switch.groups)
        if not partial:
            return None
        names = (n for n in state.resolve(self.switch.groups) if n not in partial)
        whole = {name for group in names for name in self.switch.named(group)}
        return frozenset({*whole, *self._measuring.measured.matrices})

    def _release(self, state: ScheduleState) -> None:
        """Free the optimizer state of what is frozen for good, or until it is drawn again."""
        kept: set[str] = set()
        choice = state.settings.choose
        if choice is None or choice.by != "random":
            states = self.schedule.states(
                self.total_steps, steps_per_epoch=self.steps_per_epoch, plateaus=self.plateaus
            )
            kept = trained_later(states[state.phase + 1 :], self.switch.groups, self.switch.names)
        for name in self.switch.names:
            for parameter in self.switch.parameters(name):
                if name not in kept and not self.switch.is_trained(parameter):
                    self.weights.forget(parameter)

    def _warn_without_gradient(self) -> None:
        assert self.current is not None
        for name in self.factors:
            trained = filter(self.switch.is_trained, self.switch.parameters(name))
            # Another callback may have frozen it since.
            held = [parameter for parameter in trained if parameter.requires_grad]
            if held and all(parameter.grad is None for parameter in held):
                logger.warning(
                    '%s trains layer group "%s", but the loss does not depend on it: its '
                    "%d parameters got no gradient and do not move",
                    self.current.label,
                    name,
                    len(held),
                )


def forget_graphs(args: TrainingArguments) -> None:
    """Let compiled graphs go: their backward has the parameters that need gradients built in."""
    if args.torch_compile:
        torch._dynamo.reset()
