"""One plan, one seed: the only function that builds a `Trainer`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import EvalPrediction, PrinterCallback, Trainer, set_seed

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.alarms import GOES_BACK, Alarm
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.last_phase_start import LastPhaseStart
from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
from hf_transfer_plugin.callbacks.prefix_caching import prefix_cache
from hf_transfer_plugin.callbacks.progress import ProgressBarCallback
from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.data import prepare as prepare_data
from hf_transfer_plugin.data.splitting import ROLES
from hf_transfer_plugin.metrics import METRICS, classification_metrics
from hf_transfer_plugin.processes import of_first, wait_for_all
from hf_transfer_plugin.records import CurvePoint, Plan, SeedResult, Transition
from hf_transfer_plugin.terminal import progress
from hf_transfer_plugin.train.adapting import (
    adapted,
    adapter_bytes,
    adapter_callbacks,
    merge,
    optimizer_of,
    save_weights,
)
from hf_transfer_plugin.train.against import Against
from hf_transfer_plugin.train.answers import Answers
from hf_transfer_plugin.train.arguments import training_arguments
from hf_transfer_plugin.train.watching import watching

__all__ = ["Trained", "prepare", "train_once"]


@dataclass(frozen=True)
class Trained:
    """A trained model and what it reached.

    Attributes:
        result: metrics, curve and predictions.
        trainable_parameters: weights that train in the last phase.
        parameters: all weights.
        groups: layer groups that can train, input to head.
        transitions: when which of them trained.
        save: writes model and processor into a folder.
        save_start: the same with the weights of the first step of the last phase, if kept.
        adapter_bytes: size of adapter and head; 0 without adapter.
        model_type: architecture, as the configuration names it.
    """

    result: SeedResult
    trainable_parameters: int
    parameters: int
    groups: tuple[str, ...]
    transitions: tuple[Transition, ...]
    save: Callable[[Path], None]
    save_start: Callable[[Path], None] | None = None
    adapter_bytes: int = 0
    model_type: str = ""


def prepare(
    plan: Plan, data: TargetData, roles: Sequence[str] = ROLES
) -> tuple[Checkpoint, Prepared]:
    """Find the checkpoint and bring the splits that are wanted into the form that it reads."""
    checkpoint = Checkpoint(
        plan.checkpoint, revision=plan.revision, trust_remote_code=plan.trust_remote_code
    )
    return checkpoint, prepare_data(checkpoint, data, roles)


def train_once(
    plan: Plan,
    seed: int,
    learning_rate: float | None,
    data: TargetData,
    checkpoint: Checkpoint,
    prepared: Prepared,
    keep_start: bool = False,
    against: Against | None = None,
) -> Trained:
    """Train with one seed; the seed decides head, order and dropout, never the split.

    Args:
        plan: what to train.
        seed: seed of this run.
        learning_rate: peak rate; None takes the plan's own.
        data: checked data.
        checkpoint: the checkpoint of the plan.
        prepared: the data in the form the checkpoint reads; without "test" nothing is tested.
        keep_start: keep the weights with which the last phase begins, too.
        against: what the watch holds the run against.
    """
    start = time.perf_counter()
    set_seed(seed)
    model = checkpoint.classifier(
        plan.task,
        data.class_names,
        weights=plan.weights,
        image_size=plan.data.image_size,
        pad_token_id=getattr(prepared.processor, "pad_token_id", None),
    )
    reads_weights = plan.adapter is not None and plan.adapter.kind.reads_weights
    if plan.task == "image-classification" and not reads_weights:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
    model = adapted(plan, model)
    freezing = FreezingCallback(FreezingSchedule(plan.schedule))
    last_phase = LastPhaseStart(model, freezing) if keep_start else None
    with _scratch() as scratch:
        args = training_arguments(plan, seed, learning_rate, scratch)
        watch = watching(plan, args, against or Against())
        trainer = Trainer(
            model=model,
            args=args,
            train_dataset=prepared.splits["train"],
            eval_dataset=prepared.splits["validation"],
            data_collator=prepared.collate,
            compute_metrics=_metrics,
            callbacks=[
                freezing,
                *watch,
                *([last_phase] if last_phase else []),
                *adapter_callbacks(plan),
                *([ObjectiveCallback(plan.objective)] if plan.objective else []),
            ],
            optimizer_cls_and_kwargs=optimizer_of(plan, args),
        )
        trainer.remove_callback(PrinterCallback)
        cached = prefix_cache(trainer) if plan.prefix_cache else None
        with progress(f"{plan.name}, seed {seed}") as move:
            trainer.add_callback(ProgressBarCallback(move, plan.metric))
            trainer.train()
        parameters = sum(parameter.numel() for parameter in model.parameters())
        size = adapter_bytes(plan, model)
        merge(plan, model)
        alarms = tuple(alarm for each in watch for alarm in each.alarms)
        result = _result(plan, seed, trainer, prepared, start, alarms)
        if cached is not None:
            cached.remove()

    def save(folder: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
        model.to(memory_format=torch.contiguous_format)
        with without_bars():
            save_weights(plan, model, folder, weights)
        prepared.processor.save_pretrained(folder)

    return Trained(
        result=result,
        trainable_parameters=freezing.trainable_parameters,
        parameters=parameters,
        groups=freezing.group_names,
        transitions=tuple(freezing.transitions),
        save=save,
        save_start=partial(save, weights=last_phase.weights) if last_phase else None,
        adapter_bytes=size,
        model_type=model.config.model_type,
    )


@contextmanager
def _scratch() -> Iterator[str]:
    """Give every process the folder of the first one, where all look for the best checkpoint."""
    with tempfile.TemporaryDirectory(prefix="hf-tl-") as own:
        yield of_first(own)
        wait_for_all()


def _metrics(outputs: EvalPrediction) -> dict[str, float]:
    labels = np.asarray(outputs.label_ids)
    return classification_metrics(labels, _logits(outputs.predictions).argmax(-1))


def _logits(predictions: Any) -> np.ndarray:
    # Encoder-decoders also return hidden states; the logits come first.
    return np.asarray(predictions[0] if isinstance(predictions, tuple) else predictions)


def _result(
    plan: Plan,
    seed: int,
    trainer: Trainer,
    prepared: Prepared,
    start: float,
    alarms: tuple[Alarm, ...],
) -> SeedResult:
    tested = Answers()
    if "test" in prepared.splits:
        output = trainer.predict(prepared.splits["test"], metric_key_prefix="test")
        tested = Answers.of(_logits(output.predictions), np.asarray(output.label_ids))
    curve = _curve(plan, trainer.state.log_history)
    final = _last_evaluation(trainer, alarms)
    return SeedResult(
        seed=seed,
        learning_rate=float(trainer.args.learning_rate),
        steps=trainer.state.global_step,
        test=tested.metrics,
        validation={name: float(final[f"eval_{name}"]) for name in METRICS},
        curve=curve,
        predictions=tested.predictions,
        confidences=tested.confidences,
        wall_seconds=time.perf_counter() - start,
        alarms=alarms,
    )


def _last_evaluation(trainer: Trainer, alarms: tuple[Alarm, ...]) -> dict[str, float]:
    """Return the metrics of the weights as they are now; measured anew only when they changed."""
    back = {alarm.step for alarm in alarms if alarm.action in GOES_BACK}
    for entry in reversed(trainer.state.log_history):
        if "eval_loss" in entry:
            fresh = entry["step"] == trainer.state.global_step not in back
            if fresh and not trainer.args.load_best_model_at_end:
                return entry
            break
    return trainer.evaluate()


def _curve(plan: Plan, history: list[dict[str, float]]) -> tuple[CurvePoint, ...]:
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
                )
            )
    return tuple(points)
