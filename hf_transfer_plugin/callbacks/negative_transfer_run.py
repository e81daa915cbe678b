"""One training run that is watched: from its first step to its last."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from transformers import TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.alarms import GOES_BACK, Alarm
from hf_transfer_plugin.callbacks.alarm_words import Setting, diagnosis
from hf_transfer_plugin.callbacks.best_weights import BestWeights
from hf_transfer_plugin.callbacks.head_only import HeadOnly
from hf_transfer_plugin.callbacks.negative_transfer_options import WatchOptions
from hf_transfer_plugin.callbacks.pretrained import Pretrained
from hf_transfer_plugin.callbacks.probing import Probes
from hf_transfer_plugin.callbacks.seen_model import SeenModel
from hf_transfer_plugin.callbacks.stepped_weights import SteppedWeights
from hf_transfer_plugin.decide.alarm_rules import Evaluated, Finding, Gradients, Rule, shares
from hf_transfer_plugin.processes import is_first, of_all

__all__ = ["WatchedRun"]

logger = logging.getLogger(__name__)
#: Scaled gradients overflow now and then; the scaler skips the step and lowers its scale.
_FLOAT16_OVERFLOWS = 9


class WatchedRun:
    """Records what a run does, raises alarms, and acts on them.

    Args:
        options: what to watch for.
        key: of the metric among the metrics of an evaluation.
        greater: larger values of it are better.
        model: the model that trains.
        args: arguments of the run.
        state: its state.
        weights: what the optimizer steps; None where it cannot be reached (sharded weights).
        pretrained: what the run began with; None: drift is not followed.
        progress: what `progress()` returned in the run that is resumed.
    """

    def __init__(
        self,
        options: WatchOptions,
        key: str,
        greater: bool,
        model: nn.Module,
        args: TrainingArguments,
        state: TrainerState,
        weights: SteppedWeights | None,
        pretrained: Pretrained | None,
        progress: Mapping[str, Any],
    ) -> None:
        self._options, self._key, self._model, self._args = options, key, model, args
        self._rule = Rule(options.bar, options.control, options.margin, options.patience, greater)
        self._total_steps, self._weights, self._pretrained = state.max_steps, weights, pretrained
        self.alarms = [Alarm.from_json(each) for each in progress.get("alarms", ())]
        self._history = [Evaluated.from_json(each) for each in progress.get("history", ())]
        self._gradients = Gradients.from_json(progress.get("gradients", {}))
        self._probes = Probes(options.probes, model, progress.get("probes"))
        self._pending: dict[str, float] = dict(progress.get("pending", {}))
        self._act, self._warned = False, False
        self._best: BestWeights | None = None
        self._head: HeadOnly | None = None
        if weights is not None and options.action == "refreeze":
            self._head = HeadOnly(model, (p for group in weights.groups() for p in group))
            if any(alarm.action == "refreeze" for alarm in self.alarms):
                self._head.hold()
        if weights is not None and options.action in GOES_BACK:
            self._best = BestWeights(model, weights)
        self._seen = SeenModel(model, pretrained is not None)

    def progress(self) -> dict[str, Any]:
        """Return what a resumed run must know beside the step, for JSON."""
        return {
            "alarms": [alarm.to_json() for alarm in self.alarms],
            "history": [each.to_json() for each in self._history],
            "gradients": self._gradients.to_json(),
            "probes": self._probes.before,
            "pending": self._pending,
            "pretrained": self._pretrained.digest if self._pretrained is not None else "",
        }

    def before_step(self) -> None:
        """Prepare for a step."""
        self._seen.follow_inputs()
        self._seen.forget_pass()
        if self._head is not None and self._head.is_on:
            self._head.hold()

    def before_update(self, step: int) -> None:
        """Take loss and gradients of a step, just before it is made.

        Args:
            step: optimizer steps made before it.
        """
        if self._head is not None and self._head.is_on:
            self._head.drop_gradients()
        loss = self._seen.loss()
        norm = self._gradient_norm()
        if norm is None:
            return
        # With several processes each sees its own loss, and all the same gradient.
        known = loss if loss is not None and self._args.world_size == 1 else 0.0
        tolerated = _FLOAT16_OVERFLOWS if self._args.fp16 else 0
        self._gradients, found = self._gradients.stepped(step + 1, norm, known, tolerated=tolerated)
        self._raise(found, step + 1)
        if self._gradients.broken and self._options.action != "warn" and not self._args.fp16:
            # The step would leave no finite weight; with float16 its scaler leaves it out.
            self._model.zero_grad()

    def evaluated_batch(self) -> None:
        """Take a batch of an evaluation."""
        self._seen.batch_done()

    def logged(self, step: int, logs: Mapping[str, Any]) -> dict[str, float]:
        """Take what Trainer logs, the metrics of evaluations among it; return what to add."""
        added: dict[str, float] = {}
        if self._key in logs and not (self._history and self._history[-1].step == step):
            losses = [v for k, v in logs.items() if k.startswith("eval_") and k.endswith("_loss")]
            loss = float(losses[0]) if losses else math.nan
            added = self._evaluated(step, float(logs[self._key]), loss)
        if "grad_norm" in logs:
            norm, patience = float(logs["grad_norm"]), self._options.patience
            self._gradients, found = self._gradients.logged(step, norm, patience)
            self._raise(found, step)
        added |= self._pending
        self._pending = {}
        return {f"transfer/{name}": value for name, value in added.items()}

    def evaluation_done(self, metrics: Mapping[str, Any] | None = None) -> None:
        """Forget what was seen of an evaluation, and say so when it lacked the metric."""
        self._seen.forget_evaluation()
        if metrics and not self._history and self._key not in metrics and not self._warned:
            self._warned = True
            logger.warning(
                "the watch follows %s; this evaluation gave %s",
                self._key,
                ", ".join(sorted(metrics)),
            )

    def act(self, control: TrainerControl) -> None:
        """Do what the alarms since the last call ask for."""
        if not self._act:
            return
        self._act = False
        action = self._options.action
        if self._best is not None:
            self._best.restore()
        if self._head is not None:
            self._head.hold()
        if action in ("stop", "rollback", "rescue"):
            control.should_training_stop = True
        if action == "rescue" and is_first():
            logger.warning(
                "handed over: the best weights so far are back and training ends; hf-tl rescue, "
                "in Python rescue(line), tries what is gentler"
            )

    def close(self) -> None:
        """Leave model and optimizer as they were."""
        self._seen.remove()
        if self._best is not None:
            self._best.remove()
        if self._head is not None:
            self._head.release()

    def _evaluated(self, step: int, value: float, loss: float) -> dict[str, float]:
        last = self._note(step, value, loss)
        sound = not self._rule.has_collapsed(self._history, self._total_steps)
        if self._best is not None and sound and self._rule.is_best(self._history):
            self._best.keep()
        found = self._rule.findings(self._history, self._total_steps)
        self._raise(found, step)
        numbers = {
            "largest_share": last.share,
            "prediction_entropy": last.entropy,
            "above_bar": self._rule.above_bar(last),
            "above_control": self._rule.above_control(self._history),
            **self._drift(),
            **self._probes.forgotten(),
            "alarms": float(len(self.alarms)),
        }
        return {name: number for name, number in numbers.items() if not math.isnan(number)}

    def _note(self, step: int, value: float, loss: float) -> Evaluated:
        predicted, labels = (
            _summed(each) for each in zip(*of_all(self._seen.counts()), strict=True)
        )
        largest = max(range(len(predicted)), key=predicted.__getitem__, default=-1)
        share, entropy = shares(predicted)
        label_share, label_entropy = shares(labels)
        last = Evaluated(
            step, value, loss, share, entropy, label_share, label_entropy, largest, sum(predicted)
        )
        self._history.append(last)
        return last

    def _drift(self) -> dict[str, float]:
        if self._pretrained is None:
            return {}
        features = self._pretrained.compare_features(self._model, self._seen)
        return self._pretrained.distances(self._model) | features

    def _gradient_norm(self) -> float | None:
        gradients = [p.grad for p in self._model.parameters() if p.grad is not None]
        if self._weights is None or not gradients:
            return None
        # Squares of float16 gradients overflow.
        whole = [g.float() if g.dtype is torch.float16 else g for g in gradients]
        return float(torch.nn.utils.get_total_norm(whole))

    def _raise(self, found: Iterable[Finding], step: int) -> None:
        for finding in found:
            last = self._history[-1] if self._history else None
            setting = Setting(
                self._key.removeprefix("eval_"),
                self._options.patience,
                self._args.learning_rate,
                _class_names(self._model),
            )
            alarm = Alarm(
                step=step,
                kind=finding.kind,
                message=diagnosis(finding, step, last, setting),
                value=finding.value,
                expected=finding.expected,
                action=self._options.action,
            )
            known = any(each.kind == alarm.kind for each in self.alarms)
            level = logging.INFO if known else logging.WARNING
            if is_first():
                logger.log(level, "step %d, %s: %s", step, alarm.kind, alarm.message)
            self.alarms.append(alarm)
            self._pending[f"alarm/{alarm.kind}"] = 1.0
            self._act = True


def _summed(counts: Iterable[list[int]]) -> list[int]:
    counts = list(counts)
    width = max(map(len, counts), default=0)
    return [sum(each[i] for each in counts if i < len(each)) for i in range(width)]


def _class_names(model: nn.Module) -> list[str]:
    names = getattr(getattr(model, "config", None), "id2label", None) or {}
    return [str(names[index]) for index in sorted(names)]
