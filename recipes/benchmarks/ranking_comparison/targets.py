"""The rows of a target: drawn once, then read by fine-tuning, by this package and by others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, concatenate_datasets
from tuning.rows import draw, read, write
from tuning.source import KINDS

from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.records import DataSpec
from ranking_comparison.plan import TARGETS
from ranking_comparison.settings import Settings

__all__ = ["read_source", "read_target"]

_VALIDATION_ROWS = 60  # nothing is chosen on them; the package wants a few of each class


def read_target(name: str, settings: Settings) -> TargetData:
    """Return `rows` training rows and `test_rows` test rows of a target.

    Where its test split is smaller than that, rows of its validation split are added: nothing is
    chosen on these.
    """
    folder = settings.work / f"targets-{settings.rows}-{settings.test_rows}" / name
    if not folder.is_dir():
        _write(name, settings, folder)
    return load_data(_spec(folder, name, settings), KINDS[TARGETS[name].kind])


def read_source(name: str, kind: str, settings: Settings) -> TargetData:
    """Return `source_rows` training rows of a data set that a candidate is made with."""
    path = settings.data / name
    images = kind == "images"
    whole = DataSpec(str(path), image_size=settings.image_size if images else None)
    available = pd.read_parquet(path / "train.parquet", columns=["label"])
    wanted = settings.source_rows
    spec = DataSpec(
        path=whole.path,
        train_examples=wanted if wanted < len(available) - available["label"].nunique() else None,
        max_length=settings.max_length,
        image_size=whole.image_size,
    )
    return load_data(spec, KINDS[kind])


def _spec(folder: Path, name: str, settings: Settings) -> DataSpec:
    return DataSpec(
        path=str(folder),
        max_length=settings.max_length,
        image_size=settings.image_size if TARGETS[name].kind == "images" else None,
    )


def _write(name: str, settings: Settings, folder: Path) -> None:
    splits = {
        role: _first_classes(read(settings.data / name / f"{role}.parquet"), TARGETS[name].classes)
        for role in ("train", "validation", "test")
    }
    classes = len(set(splits["train"]["label"]))
    train, left = draw(splits["train"], settings.rows)
    validation, _ = draw(left, max(_VALIDATION_ROWS, 2 * classes))
    test, _ = draw(splits["test"], settings.test_rows)
    missing = settings.test_rows - len(test)
    if missing > classes:
        more, _ = draw(splits["validation"], missing)
        test = concatenate_datasets([test, more])
    write({"train": train, "validation": validation, "test": test}, folder)


def _first_classes(rows: Dataset, number: int | None) -> Dataset:
    if number is None:
        return rows
    names = rows.features["label"].names[:number]
    kept = rows.select(np.flatnonzero(np.asarray(rows["label"]) < number))
    return kept.cast_column("label", ClassLabel(names=names))
