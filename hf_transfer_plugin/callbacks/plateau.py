"""Phases that end when validation stops improving, with their best weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from transformers import TrainingArguments

from hf_transfer_plugin.adapt.schedule_state import ScheduleState
from hf_transfer_plugin.callbacks.carried_tensors import Tensors
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch

__all__ = ["PlateauWatch", "watched_metric"]

logger = logging.getLogger(__name__)


def watched_metric(args: TrainingArguments) -> tuple[str, bool]:
    """Return the key of the metric that is watched and whether larger is better.

    As for the best checkpoint of Trainer: `metric_for_best_model`, else the evaluation loss.
    """
    name = args.metric_for_best_model or "loss"
    greater = args.greater_is_better
    if greater is None:
        greater = not name.endswith("loss")
    return name if name.startswith("eval_") else f"eval_{name}", greater


class PlateauWatch:
    """Follows the metric of the phase that waits, and keeps a copy of its best weights.

    Args:
        switch: the model that trains.
        args: say which metric counts.
        plateaus: the steps of the plateaus that the resumed run has seen.
        record: what `record()` returned in the run that is resumed.
        best: best weights of the run that is resumed.
    """

    def __init__(
        self,
        switch: GroupSwitch,
        args: TrainingArguments,
        plateaus: Iterable[int] = (),
        record: Mapping[str, Any] | None = None,
        best: Tensors | None = None,
    ) -> None:
        self._switch = switch
        self._metric, self._greater = watched_metric(args)
        given = dict(record or {})
        self.plateaus = list(plateaus)
        self._phase: int = given.get("phase", -1)
        self._value: float | None = given.get("value")
        self._step: int = given.get("step", -1)
        self._waited: int = given.get("waited", 0)
        self.best: Tensors = dict(best or {})
        self._warned = False

    def record(self) -> dict[str, Any]:
        """Return all but the weights, for JSON."""
        return {
            "phase": self._phase,
            "value": self._value,
            "step": self._step,
            "waited": self._waited,
        }

    def observe(self, state: ScheduleState, step: int, metrics: Mapping[str, float]) -> None:
        """Take an evaluation; a plateau is noted in `plateaus` and ends the phase at this step."""
        patience = state.settings.until_plateau
        if patience is None or (self.plateaus and self.plateaus[-1] == step):
            return
        if self._metric not in metrics:
            if not self._warned:
                known = ", ".join(sorted(metrics))
                logger.warning(
                    "%s waits for a plateau of %s; this evaluation gave %s",
                    state.label,
                    self._metric,
                    known,
                )
            self._warned = True
            return
        self._begin(state.phase)
        value = float(metrics[self._metric])
        if self._is_better(value):
            self._value, self._step, self._waited = value, step, 0
            if state.settings.restore_best:
                self.best = self._copy(state)
            return
        self._waited += 1
        if self._waited >= patience and step > state.start:
            self.plateaus.append(step)

    def take_best(self, state: ScheduleState, step: int) -> Tensors:
        """Return the weights to go back to when a phase begins: none when they are there."""
        if self._phase < 0 or state.phase == self._phase:
            return {}
        best, self.best = self.best, {}
        if self._step >= step:
            best = {}
        if best:
            logger.info(
                "back to the best weights of phase %d, of step %d (%s %g)",
                self._phase,
                self._step,
                self._metric,
                self._value,
            )
        self._begin(-1)
        return best

    def _begin(self, phase: int) -> None:
        if phase != self._phase:
            self._phase, self._value, self._step, self._waited = phase, None, -1, 0

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self._value is None:
            return True
        return value > self._value if self._greater else value < self._value

    def _copy(self, state: ScheduleState) -> Tensors:
        # With a choice in it, other layers may have trained earlier in the phase.
        every = state.settings.choose is not None
        named = [
            (name, parameter)
            for group in self._switch.names
            for name, parameter in self._switch.named(group).items()
            if every or parameter.requires_grad
        ]
        copied = {name: parameter.detach().cpu().clone() for name, parameter in named}
        return copied | {n: b.detach().cpu().clone() for n, b in self._switch.model.named_buffers()}
