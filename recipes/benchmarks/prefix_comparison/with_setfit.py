"""SetFit: contrastive tuning of the whole sentence encoder, then logistic regression."""

from __future__ import annotations

import time
from typing import Any

from datasets import Dataset
from measured.process import peak_mib
from schedule_comparison.inputs import MAX_LENGTH
from setfit import SetFitModel, Trainer, TrainingArguments

from prefix_comparison.bench import Bench

__all__ = ["train_setfit"]


def train_setfit(bench: Bench) -> dict[str, Any]:
    """Train on one positive and one negative pair for each text.

    SetFit's default pairs every text with every other, which is meant for a handful of them.
    """
    texts, labels = bench.texts("train")
    model = SetFitModel.from_pretrained(bench.checkpoint.path, device="cpu")
    model.model_body.max_seq_length = MAX_LENGTH
    arguments = TrainingArguments(
        output_dir=str(bench.scratch),
        batch_size=bench.run.batch_size,
        num_epochs=1,
        num_iterations=1,
        seed=bench.run.seed,
        max_length=MAX_LENGTH,
        save_strategy="no",
        report_to="none",
    )
    rows = Dataset.from_dict({"text": texts, "label": labels})
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    began = time.perf_counter()
    trainer.train()
    result = {"seconds": time.perf_counter() - began, "peak_mib": peak_mib()}
    test, expected = bench.texts("test")
    answers = model.predict(test, show_progress_bar=False).tolist()
    right = sum(answer == label for answer, label in zip(answers, expected, strict=True))
    return result | {"accuracy": right / len(expected)}
