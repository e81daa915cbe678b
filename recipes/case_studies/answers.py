"""What the kept model of a rung answers on rows that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.serialization import Record

__all__ = ["TrainAnswers", "train_answers"]

_BATCH = 32


@dataclass(frozen=True)
class TrainAnswers(Record):
    """Accuracy of one model on rows of train, as they are stored: without augmentation.

    Attributes:
        data: fingerprint of the data.
        seed: whose weights answered.
        rows: how many were answered, drawn with the seed of the data.
        accuracy: share that is right.
    """

    file_name = "train_answers.json"

    data: str
    seed: int
    rows: int
    accuracy: float


def train_answers(result: RunResult, data: TargetData, folder: Path, rows: int) -> TrainAnswers:
    """Let the kept model answer rows of train through plain transformers, or read that it did.

    Args:
        result: of the rung.
        data: its data.
        folder: of the rung; model/ in it holds the kept weights.
        rows: at most.
    """
    path = folder / TrainAnswers.file_name
    rows = min(rows, len(data.splits["train"]))
    if path.is_file():
        held = TrainAnswers.load(path)
        if (held.data, held.seed, held.rows) == (result.data, result.best_seed, rows):
            return held
    draw = np.random.default_rng(data.spec.seed)
    chosen = sorted(draw.choice(len(data.splits["train"]), rows, replace=False).tolist())
    part = data.splits["train"].select(chosen)
    model = str(folder / "model")
    right = sum(
        answer == result.class_names[label]
        for answer, label in zip(_answers(model, data, part), part["label"], strict=True)
    )
    found = TrainAnswers(result.data, result.best_seed, rows, right / rows)
    found.save(path)
    return found


def _answers(model: str, data: TargetData, part: Any) -> list[str]:
    from transformers import pipeline

    ask: Any = pipeline(data.task, model=model, batch_size=_BATCH)
    if data.task == "image-classification":
        (column,) = data.inputs
        said = [
            one
            for start in range(0, len(part), _BATCH)
            for one in ask(
                [image.convert("RGB") for image in part[start : start + _BATCH][column]], top_k=1
            )
        ]
        return [one[0]["label"] for one in said]
    columns = [list(part[name]) for name in data.inputs]
    texts = [
        dict(zip(("text", "text_pair"), row, strict=False)) for row in zip(*columns, strict=True)
    ]
    return [one["label"] for one in ask(texts, truncation=True, max_length=data.spec.max_length)]
