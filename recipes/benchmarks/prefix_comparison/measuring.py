"""One run, in a process of its own."""

from __future__ import annotations

import tempfile
from importlib import import_module
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from measured.process import write_output_to
from schedule_comparison.runs import Run

from prefix_comparison.plan import MEMORY_TOOLS
from prefix_comparison.settings import Settings

__all__ = ["measure_in_child"]

_OURS = ("hf-transfer-plugin", "transformers")
_TRAINER = ("with_trainer", "train_arm", _OURS)
# Arm -> (module, function, distributions whose versions are kept with the result).
_MEASURES = {
    "forward": ("forward", "pass_forward", ("transformers",)),
    "frozen": _TRAINER,
    "cached": _TRAINER,
    "cached again": _TRAINER,
    "cached, float16": _TRAINER,
    "cached, bfloat16": _TRAINER,
    "by hand": _TRAINER,
    "full": _TRAINER,
    "staged": _TRAINER,
    "staged, cached": _TRAINER,
    "staged, limit": ("limit", "train_above", ("transformers",)),
    "embeddings": ("features", "fit_features", ("sentence-transformers", "timm", "scikit-learn")),
    "setfit": ("with_setfit", "train_setfit", ("setfit", "sentence-transformers")),
    "fastai": ("other_tools", "train_fastai", ("fastai",)),
    "finetuning-scheduler": (
        "other_tools",
        "train_finetuning_scheduler",
        ("finetuning-scheduler", "lightning"),
    ),
    "memory": ("memory", "train_synthetic", _OURS),
    "memory, frozen": ("memory", "train_synthetic", _OURS),
}


def measure_in_child(run: Run, settings: Settings, log: Path, answer: Connection) -> None:
    """Train and measure.

    Args:
        run: what to train.
        settings: what holds for all runs.
        log: file that gets all that is printed.
        answer: receives the result, and nothing when this fails.
    """
    write_output_to(log)
    import torch

    torch.set_num_threads(settings.threads)
    module, function, distributions = _MEASURES[run.tool]
    measure = getattr(import_module(f"prefix_comparison.{module}"), function)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        result: dict[str, Any]
        if run.tool in MEMORY_TOOLS:
            result = measure(run, Path(scratch))
        else:
            from prefix_comparison.bench import read_bench

            result = measure(read_bench(run, settings, Path(scratch)))
    result["versions"] = {name: version(name) for name in ("torch", *distributions)}
    answer.send(result)
