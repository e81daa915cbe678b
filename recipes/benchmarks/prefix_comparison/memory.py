"""Resident memory against the number of rows: two epochs of a head on synthetic token ids."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from measured.process import bytes_below, peak_mib
from schedule_comparison.runs import Run
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DefaultDataCollator,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from prefix_comparison.phases import HEAD_ALONE
from prefix_comparison.uses import skipped

__all__ = ["train_synthetic"]

_VOCABULARY = 1000
_SHORTEST, _LONGEST = 8, 16


def train_synthetic(run: Run, scratch: Path) -> dict[str, Any]:
    """Train the head of a small random BERT, the token ids on disk.

    Returns:
        peak and final resident memory; the peak of what is private to the process (pages of
        mapped files, which the system may drop at any time, are not).
    """
    rows = _rows(run.examples, run.seed, scratch)
    set_seed(run.seed)
    config: Any = BertConfig(
        vocab_size=_VOCABULARY,
        hidden_size=384,
        num_hidden_layers=1,
        num_attention_heads=6,
        intermediate_size=384,
        max_position_embeddings=_LONGEST,
    )
    config.num_labels = 2
    arguments = TrainingArguments(
        output_dir=str(scratch / "trainer"),
        num_train_epochs=run.epochs,
        per_device_train_batch_size=run.batch_size,
        learning_rate=run.learning_rate,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        use_cpu=True,
        seed=run.seed,
    )
    trainer = Trainer(
        model=BertForSequenceClassification(config),
        args=arguments,
        train_dataset=rows,
        data_collator=_pad,
        callbacks=[FreezingCallback(FreezingSchedule((HEAD_ALONE,)))],
    )
    trainer.remove_callback(PrinterCallback)
    before = peak_mib()
    with _PrivateMemory() as private:
        began = time.perf_counter()
        cache = prefix_cache(trainer, folder=scratch / "cache") if run.tool == "memory" else None
        trainer.train()
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "uses": skipped(cache) if cache is not None else [],
        "peak_before_mib": before,
        "peak_mib": peak_mib(),
        "final_mib": _status("VmRSS"),
        "private_peak_mib": private.peak,
        "cache_bytes": bytes_below(scratch / "cache"),
    }


def _rows(count: int, seed: int, scratch: Path) -> Dataset:
    def draw() -> Iterator[dict[str, Any]]:
        random = np.random.default_rng(seed)
        for _ in range(count):
            ids = random.integers(5, _VOCABULARY, random.integers(_SHORTEST, _LONGEST + 1))
            yield {
                "input_ids": ids.tolist(),
                "attention_mask": [1] * len(ids),
                "labels": int(random.integers(2)),
            }

    Dataset.from_generator(draw, cache_dir=str(scratch / "drawn")).save_to_disk(scratch / "rows")
    return Dataset.load_from_disk(str(scratch / "rows"))


def _pad(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    longest = max(len(row["input_ids"]) for row in rows)
    padded = [
        {
            name: value + [0] * (longest - len(value)) if isinstance(value, list) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    batch: dict[str, torch.Tensor] = DefaultDataCollator()(padded)
    return batch


class _PrivateMemory:
    """Samples this process's private memory while it is entered; Linux alone tells it."""

    def __init__(self) -> None:
        self.peak: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> _PrivateMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.02):
            now = _status("RssAnon")
            if now is not None:
                self.peak = max(self.peak or 0.0, now)


def _status(field: str) -> float | None:
    """Return a line of /proc/self/status in MiB; None where there is no such file."""
    file = Path("/proc/self/status")
    if not file.is_file():
        return None
    lines = dict(line.split(":", 1) for line in file.read_text(encoding="utf-8").splitlines())
    return float(lines[field].split()[0]) / 1024
