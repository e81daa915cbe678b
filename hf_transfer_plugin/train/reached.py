"""What a Trainer reached: metrics of its evaluations, the curve, answers on the test split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from transformers import EvalPrediction, Trainer

from hf_transfer_plugin.alarms import GOES_BACK, Alarm
from hf_transfer_plugin.data import UNLABELLED, Prepared
from hf_transfer_plugin.metrics import METRICS, classification_metrics
from hf_transfer_plugin.records import ChosenWeights, CurvePoint, Plan, SeedResult
from hf_transfer_plugin.train.answers import Answers
from hf_transfer_plugin.train.label_free_choice import CHOICE_METRICS, label_free_metrics

__all__ = ["curve_of", "measured", "metrics_of", "plain_metrics", "seed_result"]


def metrics_of(plan: Plan) -> Callable[[EvalPrediction], dict[str, float]]:
    """Return what gives the metrics of what a Trainer predicted; see `label_free_metrics`."""

    def metrics(outputs: EvalPrediction) -> dict[str, float]:
        labels, logits = np.asarray(outputs.label_ids), _logits(outputs.predictions)
        told = labels != UNLABELLED
        found = classification_metrics(labels[told], logits[told].argmax(-1))
        return found if told.all() else found | label_free_metrics(plan, logits, labels, found)

    return metrics


def _logits(predictions: Any) -> np.ndarray:
    # Encoder-decoders also return hidden states; the logits come first.
    return np.asarray(predictions[0] if isinstance(predictions, tuple) else predictions)


def seed_result(
    plan: Plan,
    seed: int,
    trainer: Trainer,
    prepared: Prepared,
    validation: dict[str, float],
    curve: tuple[CurvePoint, ...],
    alarms: tuple[Alarm, ...],
    weights: ChosenWeights | None,
    kept_step: int | None,
    start: float,
) -> SeedResult:
    """Test the model as it is, and return all that is known of a run.

    Args:
        plan: what trained.
        seed: of the run.
        trainer: after training.
        prepared: holds the test split, unless nothing is tested.
        validation: metrics of the model as it is.
        curve: as from `curve_of`.
        alarms: what was noticed.
        weights: which weights were chosen.
        kept_step: steps of the weights that were kept without labels of the target.
        start: when it began, in seconds of `time.perf_counter`.
    """
    tested = Answers()
    if "test" in prepared.splits:
        output = trainer.predict(prepared.splits["test"], metric_key_prefix="test")
        tested = Answers.of(_logits(output.predictions), np.asarray(output.label_ids))
    return SeedResult(
        seed=seed,
        learning_rate=float(trainer.args.learning_rate),
        steps=trainer.state.global_step,
        test=tested.metrics,
        validation=validation,
        curve=curve,
        predictions=tested.predictions,
        confidences=tested.confidences,
        wall_seconds=time.perf_counter() - start,
        alarms=alarms,
        weights=weights,
        kept_step=kept_step,
    )


def measured(trainer: Trainer, prepared: Prepared) -> dict[str, float]:
    """Return the metrics on validation of the model as it is; no callback takes it for training."""
    output = trainer.predict(prepared.choosing, metric_key_prefix="eval")
    return _named(output.metrics or {})


def _named(metrics: Mapping[str, float]) -> dict[str, float]:
    wanted = (*METRICS, *CHOICE_METRICS)
    return {name: float(metrics[f"eval_{name}"]) for name in wanted if f"eval_{name}" in metrics}


def plain_metrics(
    trainer: Trainer,
    prepared: Prepared,
    alarms: tuple[Alarm, ...],
    kept: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return what the weights that training left reach; measured anew only when they changed.

    Args:
        trainer: after training.
        prepared: holds the rows to measure on.
        alarms: what was noticed.
        kept: metrics of the evaluation whose weights were put back, if some were.
    """
    if kept is not None:
        return _named(kept)
    back = {alarm.step for alarm in alarms if alarm.action in GOES_BACK}
    for entry in reversed(trainer.state.log_history):
        if "eval_loss" in entry:
            fresh = entry["step"] == trainer.state.global_step not in back
            if fresh and not trainer.args.load_best_model_at_end:
                return _named(entry)
            break
    return measured(trainer, prepared)


def curve_of(plan: Plan, history: list[dict[str, float]]) -> tuple[CurvePoint, ...]:
    """Return one point for each evaluation in the log of a Trainer."""
    points, loss = [], float("nan")
    for entry in history:
        loss = entry.get("loss", loss)
        if "eval_loss" in entry:
            points.append(
                CurvePoint(
                    step=int(entry["step"]),
                    epoch=float(entry["epoch"]),
                    train_loss=float(loss),
                    validation_loss=float(entry["eval_loss"]),
                    validation=float(entry[f"eval_{plan.metric}"]),
                    label_free={
                        name: float(entry[f"eval_{name}"])
                        for name in CHOICE_METRICS
                        if f"eval_{name}" in entry and name != "choice"
                    },
                )
            )
    return tuple(points)
