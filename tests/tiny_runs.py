"""Tiny data and checkpoints on disk, and a config around them: whole runs in seconds, offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.hub_models import save_image_model, save_text_model

__all__ = [
    "CLASSES",
    "blind_copy",
    "image_checkpoint",
    "offline_cache",
    "text_checkpoint",
    "texts",
    "write_config",
    "write_images",
    "write_table",
    "write_text_folder",
]

CLASSES = ("bad", "good")
_FILLERS = ("film", "plot", "cast", "end", "score")


def offline_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Keep what `datasets` caches below a folder, and every client off the network."""
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "datasets-cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def texts(per_class: int, *, start: int = 0, classes: Sequence[str] = CLASSES) -> dict[str, Any]:
    """Return the columns text and label: `per_class` rows a class, each text only once.

    Args:
        per_class: rows of each class.
        start: number of the first row; splits that do not overlap share no text.
        classes: names of the classes, each a word of its texts.
    """
    rows = [
        (f"{name} {_FILLERS[number % len(_FILLERS)]} {number} " + "film " * (number % 3), name)
        for number in range(start, start + per_class)
        for name in classes
    ]
    return {"text": [text for text, _ in rows], "label": [label for _, label in rows]}


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """Write columns as the kind of file that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(dict(columns))
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif path.suffix in (".json", ".jsonl"):
        rows = [json.dumps(row) for row in table.to_dict("records")]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    else:
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def write_text_folder(folder: Path, **changed: Mapping[str, Sequence[Any]] | None) -> Path:
    """Write train, validation and test as parquet; a split given replaces it, None leaves it out.

    Sizes: 20, 5 and 10 rows of each class.
    """
    splits: dict[str, Any] = {
        "train": texts(20),
        "validation": texts(5, start=20),
        "test": texts(10, start=25),
        **changed,
    }
    for name, columns in splits.items():
        if columns is not None:
            write_table(folder / f"{name}.parquet", columns)
    return folder


def write_images(folder: Path, per_class: int = 6, classes: Sequence[str] = ("cat", "dog")) -> Path:
    """Write png files in a folder for each class, grey noise of another brightness for each."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    for index, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            pixels = draw.integers(0, 100, (36, 40), dtype=np.uint8) + np.uint8(120 * index)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def text_checkpoint(folder: Path) -> Path:
    """Save a tiny random BERT for two classes, whose tokenizer knows the class words."""
    save_text_model(folder)
    return folder


def image_checkpoint(folder: Path) -> Path:
    """Save a tiny random ResNet for two classes, with a processor of 32 x 32 pixels."""
    save_image_model(folder)
    return folder


def blind_copy(checkpoint: Path, folder: Path) -> Path:
    """Copy a text checkpoint; the copy's tokenizer knows no class word, so it sees no class."""
    shutil.copytree(checkpoint, folder)
    path = folder / "tokenizer.json"
    content = path.read_text(encoding="utf-8")
    for name in CLASSES:
        content = content.replace(f'"{name}"', f'"not-{name}"')
    path.write_text(content, encoding="utf-8")
    return folder


def write_config(path: Path, **keys: Any) -> Path:
    """Write a config for tiny texts; `keys` replace its own, and None removes one."""
    config: dict[str, Any] = {
        "task": "text-classification",
        "data": "texts",
        "checkpoint": "./bert",
        "run_folder": "run",
        "training": {"num_train_epochs": 1},
        "seeds": 2,
        "rank_examples": 20,
        "rank_scores": ["logme", "knn_accuracy"],
        **keys,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in config.items() if value is not None}
    path.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
    return path
