"""What the two scripts share: options, settings and the run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tuning.lines import Lines
from tuning.script import say

from how_comparison.arms import Arm, Trial
from how_comparison.settings import PROCESSOR, Settings

__all__ = ["add_options", "settings_of", "train"]


def add_options(parser: argparse.ArgumentParser, out: str, datasets: Sequence[str]) -> None:
    """Add the options of both scripts.

    Args:
        parser: of the script.
        out: the results file unless said otherwise.
        datasets: names there are.
    """
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument("--work", type=Path, help="for caches; default: beside --out")
    parser.add_argument("--datasets", nargs="+", choices=datasets, default=list(datasets))
    parser.add_argument("--seeds", type=int, default=5, help="of each way at each place")
    parser.add_argument("--batch", type=int, default=32, help="rows of a step")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--workers", type=int, default=1, help="processes that train at once")
    parser.add_argument("--minutes", type=float, default=1e6, help="then no training is begun")


def train(
    options: argparse.Namespace,
    settings: Settings,
    lines: Lines,
    arms: Sequence[Arm],
    train_one: Callable[[Trial, Settings], dict[str, Any]] | None = None,
) -> None:
    """Train what the results lack; `train_one` replaces `how_comparison.training.train`."""
    from how_comparison.training import train as by_place
    from how_comparison.workers import train_all

    os.environ["HF_HUB_OFFLINE"] = "1"
    print(f"{len(arms)} ways at places, {options.seeds} seeds, {options.workers} processes")
    train_all(
        arms,
        options.seeds,
        lines,
        settings,
        say,
        train_one or by_place,
        workers=options.workers,
        minutes=options.minutes,
    )


def settings_of(options: argparse.Namespace) -> Settings:
    """Return what holds for all trials."""
    from hf_transfer_plugin.environment import environment

    accelerator = environment()["accelerator"]
    return Settings(
        data=str(options.data),
        batch=options.batch,
        max_length=options.max_length,
        image_size=options.image_size,
        threads=options.threads,
        device=PROCESSOR if accelerator == "none" else accelerator,
    )
