"""Small pictures and Trainers over views of them, with a tiny network whose head trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pictures
from transformers import Trainer

from hf_transfer_plugin import AugmentationCallback, AugmentedImages
from tests.callbacks.prefix_runs import make, probe
from tests.callbacks.tiny import resnet

__all__ = ["BATCH", "EPOCHS", "PHOTOGRAPHS", "SIDE", "augmented", "photographs", "trainer"]

PHOTOGRAPHS = 60
SIDE = 32
EPOCHS = 6
BATCH = 12
CHANGES = {"rotation": 30, "zoom": 0.2, "shift": 0.1, "shear": 0.1, "flip": True, "color": 0.2}


def to_pixels(rows: dict[str, Any]) -> dict[str, Any]:
    """Turn images into what the network reads, [3, SIDE, SIDE]."""
    arrays = [np.asarray(image.convert("RGB"), np.float32) / 255 for image in rows["image"]]
    pixels = [torch.from_numpy(array).permute(2, 0, 1) for array in arrays]
    return {"pixel_values": pixels, "labels": rows["label"]}


def photographs(rows: int = PHOTOGRAPHS) -> Dataset:
    """Return pictures of two classes, bright in the upper half or all over, with a transform."""
    draw = np.random.default_rng(0)
    labels = [row % 2 for row in range(rows)]
    arrays = draw.integers(0, 120, (rows, SIDE, SIDE, 3), dtype=np.uint8)
    for array, label in zip(arrays, labels, strict=True):
        array[: SIDE // 2 if label else SIDE] += 100
    kinds = Features({"image": Image(), "label": Value("int64")})
    columns = {"image": [Pictures.fromarray(array) for array in arrays], "label": labels}
    return Dataset.from_dict(columns, features=kinds).with_transform(to_pixels)


def augmented(views: int | None, *, seed: int = 0, rows: int = PHOTOGRAPHS) -> AugmentedImages:
    """Return views of the pictures."""
    return AugmentedImages(photographs(rows), CHANGES, views=views, seed=seed)


def trainer(folder: Path, data: Any, *callbacks: Any, **arguments: Any) -> Trainer:
    """Return a Trainer of the head, which tells views their epoch."""
    told = [AugmentationCallback(data)] if isinstance(data, AugmentedImages) else []
    given: dict[str, Any] = {"max_steps": -1, "num_train_epochs": EPOCHS}
    given["per_device_train_batch_size"] = BATCH
    return make(
        folder, probe(), *told, *callbacks, model=resnet(), data=data, **(given | arguments)
    )
