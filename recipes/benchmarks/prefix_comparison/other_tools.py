"""A frozen backbone in fastai and in Lightning with finetuning-scheduler."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from measured.process import peak_mib
from schedule_comparison.job import Job

from prefix_comparison.bench import Bench
from prefix_comparison.scoring import accuracy

__all__ = ["train_fastai", "train_finetuning_scheduler"]


def train_fastai(bench: Bench) -> dict[str, Any]:
    """Train the last layer group: `freeze_to(-1)`, then `fit`."""
    from schedule_comparison.with_fastai import train_with_fastai

    return _train(bench, train_with_fastai)


def train_finetuning_scheduler(bench: Bench) -> dict[str, Any]:
    """Train the only phase of a schedule."""
    from schedule_comparison.with_lightning import train_with_finetuning_scheduler

    return _train(bench, train_with_finetuning_scheduler)


def _train(bench: Bench, train: Callable[[Job], None]) -> dict[str, Any]:
    job = bench.job()
    began = time.perf_counter()
    train(job)
    result = {"seconds": time.perf_counter() - began, "peak_mib": peak_mib()}
    return result | {"accuracy": accuracy(job.model, bench.test, bench.prepared.collate)}
