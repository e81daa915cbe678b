"""Rows of a data set: stratified samples, and folders of parquet files that hold them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from datasets import Dataset, load_dataset
from sklearn.model_selection import train_test_split

__all__ = ["draw", "read", "write"]


def read(file: Path) -> Dataset:
    """Return the rows of a parquet file."""
    return load_dataset("parquet", data_files=str(file), split="train")


def draw(rows: Dataset, wanted: int) -> tuple[Dataset, Dataset]:
    """Return a stratified sample, and the rows that are left (all rows and none if too few)."""
    labels = np.asarray(rows["label"])
    if len(rows) - wanted < len(np.unique(labels)):
        return rows, rows.select([])
    drawn, left = train_test_split(
        np.arange(len(rows)), train_size=wanted, random_state=0, stratify=labels
    )
    return rows.select(np.sort(drawn)), rows.select(np.sort(left))


def write(splits: Mapping[str, Dataset], folder: Path) -> None:
    """Write a parquet file for each split; the folder appears when it is whole."""
    unfinished = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for role, rows in splits.items():
        rows.to_parquet(unfinished / f"{role}.parquet")
    unfinished.rename(folder)
