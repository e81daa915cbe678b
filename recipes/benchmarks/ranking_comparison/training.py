"""One fine-tuning by a plain Trainer, and which test rows the result gets right."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, prepare

__all__ = ["fit", "tune"]

_BATCH = 16
_WARM_UP = 0.1


def tune(
    checkpoint: Checkpoint, data: TargetData, seed: int, epochs: int, rate: float
) -> dict[str, Any]:
    """Fine-tune a checkpoint on the training rows of a target.

    Returns:
        "accuracy" on the test rows, "hits" (a digit for each test row, 1 where it is right) and
        "seconds", all included.
    """
    began = time.perf_counter()
    prepared = prepare(checkpoint, data, ("train", "test"))
    set_seed(seed)
    model = checkpoint.classifier(data.task, data.class_names, image_size=data.spec.image_size)
    fit(model, prepared, epochs, rate, seed)
    hits = _hits(model, _in_memory(prepared, "test"), prepared)
    return {
        "accuracy": sum(hits) / len(hits),
        "hits": "".join(str(int(hit)) for hit in hits),
        "seconds": time.perf_counter() - began,
    }


def fit(model: Any, prepared: Prepared, epochs: int, rate: float, seed: int) -> None:
    """Train all weights: AdamW, linear warm-up, then a straight line down to 0."""
    if hasattr(model.config, "architecture"):
        model.to(memory_format=torch.channels_last)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=epochs,
            per_device_train_batch_size=_BATCH,
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
            train_dataset=_in_memory(prepared, "train"),
            data_collator=prepared.collate,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def _in_memory(prepared: Prepared, role: str) -> list[dict[str, Any]]:
    rows = prepared.splits[role]
    return [rows[index] for index in range(len(rows))]


def _hits(model: Any, rows: list[dict[str, Any]], prepared: Prepared) -> list[bool]:
    """Tell for each row whether the model names its class; texts of like length share a batch."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].get("input_ids", ())))
    hits = [False] * len(rows)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            read = prepared.collate([dict(rows[index]) for index in chosen])
            batch = {name: value.to(model.device) for name, value in read.items()}
            labels = batch.pop("labels")
            right = model(**batch).logits.argmax(-1) == labels
            for index, hit in zip(chosen, right.tolist(), strict=True):
                hits[index] = hit
    return hits
