"""One fine-tuning by a plain Trainer, and which rows the result gets right."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any, Literal

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData

__all__ = ["BATCH", "Rows", "fit", "hits_of", "in_memory", "tuned"]

Rows = list[dict[str, Any]]
Collate = Callable[[list[dict[str, Any]]], dict[str, Any]]

BATCH = 16
_WARM_UP = 0.1


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
    """
    set_seed(seed)
    size = data.spec.image_size
    model = checkpoint.classifier(data.task, data.class_names, weights=weights, image_size=size)
    fit(model, rows, collate, epochs, rate, seed)
    return model


def fit(model: Any, rows: Rows, collate: Collate, epochs: int, rate: float, seed: int) -> None:
    """Train all weights: AdamW, linear warm-up, then a straight line down to 0."""
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
            eval_strategy="no",
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
            data_collator=collate,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


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
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            read = collate([dict(rows[index]) for index in chosen])
            batch = {name: value.to(model.device) for name, value in read.items()}
            labels = batch.pop("labels")
            right = model(**batch).logits.argmax(-1) == labels
            for index, hit in zip(chosen, right.tolist(), strict=True):
                hits[index] = hit
    return hits
