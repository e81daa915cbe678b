"""Data as tensors: made once by the package's own preprocessing, then read by every tool."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import load_data, prepare
from hf_transfer_plugin.records import DataSpec
from schedule_comparison.runs import DATASETS, Run

__all__ = ["Rows", "class_names", "collator", "make_inputs", "read_rows"]

IMAGE_SIZE = 160
MAX_LENGTH = 64
ROLES = ("train", "validation", "test")


class Rows(Dataset[dict[str, Any]]):
    """Rows of a split, each a mapping from input name to value, with "labels"."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["labels"])

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: values[index] for name, values in self.columns.items()}


def make_inputs(run: Run, data: Path, folder: Path) -> None:
    """Write the tensors of all splits into a folder.

    Args:
        run: names the data set and the number of training examples.
        data: folder that holds one folder for each data set.
        folder: where the tensors are kept; it appears when it is complete.
    """
    unfinished = folder.with_name(f"{folder.name}.tmp")
    unfinished.mkdir(parents=True, exist_ok=True)
    dataset = DATASETS[run.dataset]
    images = dataset.task == "image-classification"
    spec = DataSpec(
        path=str(data / run.dataset),
        train_examples=run.examples,
        max_length=MAX_LENGTH,
        image_size=IMAGE_SIZE if images else None,
    )
    loaded = load_data(spec, dataset.task)
    prepared = prepare(Checkpoint(dataset.checkpoint), loaded)
    for role in ROLES:
        rows = [prepared.splits[role][i] for i in range(len(prepared.splits[role]))]
        columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
        if images:
            columns["pixel_values"] = torch.stack(columns["pixel_values"])
        torch.save(columns, unfinished / f"{role}.pt")
    torch.save(list(loaded.class_names), unfinished / "classes.pt")
    os.rename(unfinished, folder)


def read_rows(folder: Path, role: str) -> Rows:
    """Read the tensors of one split into memory."""
    return Rows(torch.load(folder / f"{role}.pt", weights_only=True))


def class_names(folder: Path) -> list[str]:
    """Read the class names in label order."""
    names: list[str] = torch.load(folder / "classes.pt", weights_only=True)
    return names


def collator(run: Run) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Return what makes a batch of rows: texts are padded to the longest of the batch."""
    dataset = DATASETS[run.dataset]
    if dataset.task == "text-classification":
        from transformers import DataCollatorWithPadding

        pad: Callable[[list[dict[str, Any]]], dict[str, Any]] = DataCollatorWithPadding(
            Checkpoint(dataset.checkpoint).tokenizer()
        )
        return pad

    def stack(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }

    return stack
