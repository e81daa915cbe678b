"""One fine-tuning by a plain Trainer, and which rows the result gets right."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import torch
from transformers import (
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, NegativeTransferCallback
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.records import Phase

__all__ = ["BATCH", "Rows", "Watched", "fit", "hits_of", "in_memory", "tuned"]

Rows = list[dict[str, Any]]
Collate = Callable[[list[dict[str, Any]]], dict[str, Any]]

BATCH = 16
_EVALUATED = 64
_WARM_UP = 0.1


@dataclass(frozen=True)
class Watched:
    """What is evaluated while a network trains.

    Attributes:
        rows: of evaluation.
        times: evaluations, evenly spread over the steps.
        callback: is attached to Trainer, and follows "accuracy".
    """

    rows: Rows
    times: int
    callback: NegativeTransferCallback


def tuned(
    checkpoint: Checkpoint,
    data: TargetData,
    rows: Rows,
    collate: Collate,
    *,
    seed: int,
    epochs: int,
    rate: float,
    weights: Literal["pretrained", "random"] = "pretrained",
    watched: Watched | None = None,
    head_only: bool = False,
) -> Any:
    """Return a classifier that all training rows were fine-tuned on.

    Args:
        checkpoint: the network.
        data: the target, which says what the head must tell apart.
        rows: its training rows, as from `in_memory`.
        collate: makes a batch of rows.
        seed: of the head, the order of rows, dropout, and random weights.
        epochs: passes over the rows.
        rate: the peak.
        weights: "random" trains the same architecture from scratch.
        watched: what is evaluated on the way; None for nothing.
        head_only: all but the head is frozen.
    """
    set_seed(seed)
    size = data.spec.image_size
    model = checkpoint.classifier(data.task, data.class_names, weights=weights, image_size=size)
    fit(model, rows, collate, epochs, rate, seed, watched, head_only)
    return model


def fit(
    model: Any,
    rows: Rows,
    collate: Collate,
    epochs: int,
    rate: float,
    seed: int,
    watched: Watched | None = None,
    head_only: bool = False,
) -> None:
    """Train all weights, or the head: AdamW, linear warm-up, then a straight line down to 0."""
    callbacks: list[TrainerCallback] = [] if watched is None else [watched.callback]
    if head_only:
        callbacks.append(FreezingCallback(FreezingSchedule.from_phases([Phase(train=("head",))])))
    if hasattr(model.config, "architecture"):
        model.to(memory_format=torch.channels_last)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH,
            learning_rate=rate,
            lr_scheduler_type="linear",
            warmup_steps=_WARM_UP,
            weight_decay=0.0,
            seed=seed,
            data_seed=seed,
            eval_strategy="no" if watched is None else "steps",
            eval_steps=_every(watched, epochs * ceil(len(rows) / BATCH)),
            per_device_eval_batch_size=_EVALUATED,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            eval_dataset=None if watched is None else watched.rows,
            compute_metrics=_accuracy,
            data_collator=collate,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def _every(watched: Watched | None, steps: int) -> int | None:
    return None if watched is None else max(1, round(steps / watched.times))


def _accuracy(answers: EvalPrediction) -> dict[str, float]:
    named = np.argmax(answers.predictions, axis=-1)
    return {"accuracy": float(np.mean(named == answers.label_ids))}


def in_memory(prepared: Prepared, role: str) -> Rows:
    """Return the rows of a split as a network takes them."""
    rows = prepared.splits[role]
    return [rows[index] for index in range(len(rows))]


def hits_of(model: Any, rows: Rows, collate: Collate) -> list[bool]:
    """Tell for each row whether the model names its class; texts of like length share a batch."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].get("input_ids", ())))
    hits = [False] * len(rows)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), _EVALUATED):
            chosen = order[start : start + _EVALUATED]
            read = collate([dict(rows[index]) for index in chosen])
            batch = {name: value.to(model.device) for name, value in read.items()}
            labels = batch.pop("labels")
            right = model(**batch).logits.argmax(-1) == labels
            for index, hit in zip(chosen, right.tolist(), strict=True):
                hits[index] = hit
    return hits
