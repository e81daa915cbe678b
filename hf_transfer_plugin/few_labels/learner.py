"""A checkpoint that learns from a few rows, again and again from the same weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hf_transfer_plugin.adapt.few_shot.draws import draw_rows
from hf_transfer_plugin.adapt.few_shot.encoders import (
    Encoder,
    ImageEncoder,
    TextEncoder,
    best_device,
    embed,
)
from hf_transfer_plugin.adapt.few_shot.heads import LinearHead, probe, prototypes, unit_rows
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, prepare
from hf_transfer_plugin.few_shot_records import Contrastive, FewShotMethod
from hf_transfer_plugin.train.contrastive import tune_encoder

__all__ = ["Fitted", "Learner"]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """What a method made of some rows.

    Attributes:
        method: which one.
        head: on the features of the encoder as this method leaves it.
        seconds: features, tuning and head.
        steps: optimizer steps.
    """

    method: FewShotMethod
    head: LinearHead
    seconds: float
    steps: int = 0


class Learner:
    """Fits heads on few rows; after contrastive tuning its encoder stays tuned until the next fit.

    Args:
        checkpoint: what to learn with.
        data: checked data; rows of train and test are read.
        options: of contrastive tuning.
    """

    def __init__(self, checkpoint: Checkpoint, data: TargetData, options: Contrastive) -> None:
        self.data = data
        self.options = options
        self.prepared: Prepared = prepare(checkpoint, data, ("train", "test"))
        self.encoder = _encoder(checkpoint, data)
        self.labels = np.asarray(data.labels("train"))
        self._start = {name: value.clone() for name, value in self.encoder.state_dict().items()}
        self._tuned = False
        self._known: dict[int, Floats] = {}
        self._seconds_a_row = 0.0

    def draw(self, shots: int, draw: int) -> list[int]:
        """Return the row numbers of train that a draw takes."""
        return draw_rows(self.labels.tolist(), shots, draw, self.data.class_names)

    def fit(self, method: FewShotMethod, rows: Sequence[int], seed: int) -> Fitted:
        """Learn from rows of train alone.

        Args:
            method: how.
            rows: row numbers of train.
            seed: of the training and of the folds that choose a penalty.
        """
        labels = self.labels[list(rows)]
        if method == "contrastive":
            return self._tuned_fit(rows, labels, seed)
        features = self._frozen(rows)
        start = time.perf_counter()
        head = (
            prototypes(features, labels)
            if method == "prototypes"
            else probe(features, labels, seed=seed)
        )
        seconds = time.perf_counter() - start + self._seconds_a_row * len(rows)
        return Fitted(method, head, seconds)

    def predict(self, fitted: Fitted, rows: Sequence[int]) -> Integers:
        """Return the class of each of some rows of train; `fitted` must be the last fit."""
        tuned = fitted.method == "contrastive"
        return fitted.head.predict(self._now("train", rows) if tuned else self._frozen(rows))

    def predict_test(self, fitted: Fitted) -> Integers:
        """Return the class of each test example; `fitted` must be the last fit."""
        if fitted.method != "contrastive":
            return fitted.head.predict(self._frozen_test)
        return fitted.head.predict(self._now("test"))

    def _tuned_fit(self, rows: Sequence[int], labels: Integers, seed: int) -> Fitted:
        self.reset()
        split = self.prepared.splits["train"]
        start = time.perf_counter()
        read = [split[row] for row in rows]
        steps = tune_encoder(
            self.encoder, read, labels.tolist(), self.prepared.collate, self.options, seed
        )
        self._tuned = True
        head = probe(self._vectors(read), labels, seed=seed)
        return Fitted("contrastive", head, time.perf_counter() - start, steps)

    def reset(self) -> None:
        """Give the encoder the weights of the checkpoint again."""
        if self._tuned:
            self.encoder.load_state_dict(self._start)
            self._tuned = False

    def forget(self) -> None:
        """Forget the features of train, so that the next fit computes its own."""
        self._known.clear()

    def _frozen(self, rows: Sequence[int]) -> Floats:
        """Return features of the untouched encoder, each row computed once."""
        missing = [row for row in rows if row not in self._known]
        if missing:
            self.reset()
            start = time.perf_counter()
            self._known.update(zip(missing, self._now("train", missing), strict=True))
            self._seconds_a_row = (time.perf_counter() - start) / len(missing)
        return np.stack([self._known[row] for row in rows])

    @cached_property
    def _frozen_test(self) -> Floats:
        self.reset()
        return self._now("test")

    def _now(self, role: str, rows: Sequence[int] | None = None) -> Floats:
        """Return features of the encoder as it is."""
        split: Any = self.prepared.splits[role]
        return self._vectors(split if rows is None else [split[row] for row in rows])

    def _vectors(self, rows: Any) -> Floats:
        found = embed(self.encoder, rows, self.prepared.collate)
        return unit_rows(found) if isinstance(self.encoder, TextEncoder) else found


def _encoder(checkpoint: Checkpoint, data: TargetData) -> Encoder:
    size = data.spec.image_size
    encoder: Encoder
    if data.task == "text-classification":
        encoder = TextEncoder(checkpoint.backbone())
    else:
        encoder = ImageEncoder(
            checkpoint.classifier(data.task, data.class_names, image_size=size)
        ).to(memory_format=torch.channels_last)
    return encoder.to(best_device())
