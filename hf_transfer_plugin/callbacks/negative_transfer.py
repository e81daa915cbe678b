"""Notices negative transfer and collapse while any unmodified `transformers.Trainer` runs."""

from __future__ import annotations

import logging
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from hf_transfer_plugin.alarms import Alarm, AlarmAction
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.negative_transfer_checks import (
    check_action,
    followed_metric,
)
from hf_transfer_plugin.callbacks.negative_transfer_options import (
    Control,
    ProbeData,
    WatchOptions,
)
from hf_transfer_plugin.callbacks.negative_transfer_run import WatchedRun
from hf_transfer_plugin.callbacks.pretrained import Pretrained
from hf_transfer_plugin.callbacks.report_order import add_to_logs, move_to_front, take_back
from hf_transfer_plugin.callbacks.sharded_weights import is_sharded
from hf_transfer_plugin.callbacks.stepped_weights import SteppedWeights
from hf_transfer_plugin.callbacks.stored_progress import stored_progress
from hf_transfer_plugin.records import RunResult

__all__ = ["NegativeTransferCallback"]

logger = logging.getLogger(__name__)


class NegativeTransferCallback(TrainerCallback, ExportableState):
    """Raises an alarm when a run does worse than without the source, or breaks down.

    Alarms are no test. One run, looked at again and again, proves nothing about transfer: the
    verdict of `judge` does, after training, over paired seeds. An alarm is a reason to look.

    At each evaluation:

    - "below_control": the best metric so far stays below the control's best up to the same
      optimizer step (by straight lines between the points of its curve, nothing beyond its ends)
      by more than `margin`, for `patience` evaluations in a row, none of them in the first half
      of the run. Equal steps mean equal examples at equal batch sizes only.
    - "below_bar": the metric stays as far below the frozen-probe bar. In the first half of the run
      an evaluation that is better than all before it does not count.
    - "collapse": the predicted classes fall together: less than a tenth of the predictions lie
      outside their largest class, against labels outside theirs, or their entropy is less than a
      quarter of that of the labels. In the first half of the run an evaluation whose loss is the
      lowest so far does not count: the run has yet to learn (unless the loss is above 1.1 times
      the entropy of the labels). For models that name one of several classes for each example.
      When the model does not get the labels (label smoothing), one class alone is a collapse.

    At each optimizer step: "non_finite" (loss or gradient; with fp16 ten steps in a row, for
    scaled gradients overflow; with several processes the gradient alone), "vanishing" (a gradient
    below 1e-8 for 10 steps although the loss is not small). In Trainer's logs: "exploding" (a
    gradient norm above 100 times the median of those before, `patience` times in a row).

    Logs of evaluations gain `transfer/largest_share`, `transfer/prediction_entropy`,
    `transfer/above_bar`, `transfer/above_control`, `transfer/alarms` and `transfer/alarm/KIND`;
    and, never judged: `transfer/drift` and `transfer/drift/GROUP` (L2 distance from the first
    weights over their norm, head left out), and of what the head reads of the first 64 rows
    (of each process; the first logs its own) `transfer/cka` to the pretrained features,
    `transfer/effective_rank` and `transfer/smallest_singular_value` (over the largest); and
    `transfer/forgotten/NAME`, the drop of a probe since before training.

    A resumed run raises the alarms of an uninterrupted one. (With
    `restore_callback_states_from_checkpoint=True` drift and probes are lost, with a warning.)

    Examples:
        >>> trainer = Trainer(..., callbacks=[NegativeTransferCallback(bar=0.81, action="stop")])

    Args:
        control: the control's result (mean over its seeds), or step -> metric.
        bar: validation metric of a linear probe on frozen features, or the result of the
            frozen-probe control (mean over its seeds).
        margin: difference worth an alarm, in units of the metric.
        action: "warn" logs and goes on; "stop" ends training; "rollback" goes back to the weights
            of the best evaluation so far (of those without a collapse; without one, to the first
            weights) and ends it; "refreeze" goes back and trains the head alone from there;
            "rescue" is "rollback", and `handed_over` says that the ladder of rescues is due.
            With all but "warn" a step whose gradient is not finite is not made. The best
            weights are kept in the memory of the CPU and in each checkpoint's optimizer.pt.
            `load_best_model_at_end` still has the last word.
        patience: evaluations in a row that raise an alarm.
        metric: name of the metric; that of `control` or `bar`, else `metric_for_best_model`, else
            the loss.
        probe_data: what must not be forgotten: (data, metric(model, data) -> float), or name ->
            metric(model); larger is better. Called in eval mode, before training and at each
            evaluation, by every process.
        drift: follow weights and features; keeps a copy of the first weights in memory.

    Raises:
        ConfigError: for arguments that do not fit; in `train()`, for what the run cannot do.

    References:
        Wang et al., "Characterizing and Avoiding Negative Transfer" (2019); Mosbach et al., "On
        the Stability of Fine-tuning BERT" (2021), for collapses.
    """

    def __init__(
        self,
        control: Control | None = None,
        *,
        bar: float | RunResult | None = None,
        margin: float = 0.01,
        action: AlarmAction = "warn",
        patience: int = 3,
        metric: str | None = None,
        probe_data: ProbeData | None = None,
        drift: bool = True,
    ) -> None:
        self.options = WatchOptions.of(
            control, bar, margin, action, patience, metric, probe_data, drift
        )
        self.progress: dict[str, Any] = {}
        self._pretrained: Pretrained | None = None
        self._run: WatchedRun | None = None

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The alarms of the last run, first to last."""
        if self._run is not None:
            return tuple(self._run.alarms)
        return tuple(Alarm.from_json(each) for each in self.progress.get("alarms", ()))

    @property
    def handed_over(self) -> bool:
        """Whether an alarm of the last run handed it over to the ladder of rescues."""
        return any(alarm.action == "rescue" for alarm in self.alarms)

    def state(self) -> dict[str, Any]:
        """Return what Trainer stores in a checkpoint."""
        progress = self._run.progress() if self._run is not None else self.progress
        return {"args": self.options.to_state(), "attributes": {"progress": progress}}

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the pretrained weights, before a checkpoint is loaded over them."""
        move_to_front(self, behind=FreezingCallback)
        model = kwargs["model"]
        if model is not None and self.options.drift and not is_sharded(args, model):
            self._pretrained = Pretrained(model)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to listen, or go on where the checkpoint was made."""
        self._close()  # a run that ended in an exception never reached on_train_end
        move_to_front(self, behind=FreezingCallback)
        self.progress = stored_progress(self, state)
        model = kwargs["model"]
        sharded = is_sharded(args, model)
        check_action(self.options.action, args, sharded)
        key, greater = followed_metric(self.options.metric, args)
        self._run = WatchedRun(
            self.options,
            key,
            greater,
            model,
            args,
            state,
            None if sharded else SteppedWeights(kwargs["optimizer"]),
            None if sharded else self._first_weights(model, state),
            self.progress,
        )

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold frozen what an alarm has frozen."""
        if self._run is not None:
            self._run.before_step()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at loss and gradients."""
        if self._run is not None:
            self._run.before_update(state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Act on what the gradients showed."""
        if self._run is not None:
            self._run.act(control)

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the predictions of a batch."""
        if self._run is not None:
            self._run.evaluated_batch()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Judge an evaluation, and add what was seen to the logs."""
        logs = kwargs.get("logs")
        if self._run is None or logs is None:
            return
        add_to_logs(state, logs, self._run.logged(state.global_step, logs))

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Act on what the evaluation showed."""
        if self._run is not None:
            self._run.evaluation_done(kwargs.get("metrics"))
            take_back(kwargs.get("metrics"), ("transfer/",))
            self._run.act(control)

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Any,
        **kwargs: Any,
    ) -> None:
        """Leave out what a prediction showed."""
        if self._run is not None:
            self._run.evaluation_done()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stop listening."""
        self._close()

    def _close(self) -> None:
        if self._run is not None:
            self.progress = self._run.progress()
            self._run.close()
        self._run = None

    def _first_weights(self, model: Any, state: TrainerState) -> Pretrained | None:
        if not self.options.drift:
            return None
        if not state.global_step:
            self._pretrained = Pretrained(model)
        known = self.progress.get("pretrained")
        if self._pretrained is None or (known and known != self._pretrained.digest):
            logger.warning(
                "drift is not followed: the weights that the run of the checkpoint began with are "
                "not known (build the model from them, and give the callback to Trainer)"
            )
            return None
        return self._pretrained
