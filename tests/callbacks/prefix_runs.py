"""Runs with and without a cache of the frozen prefix, on data of several chunks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, prefix_cache
from hf_transfer_plugin.callbacks.prefix_following import PrefixCache, PrefixUse
from tests.callbacks.tiny import bert, tensors

ROWS = 600
CHUNKS = 3
STEPS = 30
# Two epochs and a part of one.
BATCH = 50
# Beyond it something else was computed; a cached run rounds differently.
EXACT = 1e-5


@dataclass(frozen=True)
class Done:
    """What a run left.

    Attributes:
        weights: at its end.
        moved: by how much they changed at most.
        losses: of each step.
        uses: of the cache.
    """

    weights: dict[str, torch.Tensor]
    moved: float
    losses: list[float]
    uses: list[PrefixUse]

    @property
    def rows(self) -> int:
        """How many rows were computed for the cache; fails when it was not used throughout."""
        assert [use.reason for use in self.uses] == [""], self.uses
        assert self.uses[0].before
        return self.uses[0].rows

    @property
    def reason(self) -> str:
        """Why the cache was not used; fails when it was."""
        assert not any(use.before or use.rows for use in self.uses), self.uses
        return self.uses[-1].reason


class Pad:
    """Puts sentences of different length together."""

    def __call__(self, items: Sequence[Any]) -> dict[str, torch.Tensor]:
        longest = max(len(item["input_ids"]) for item in items)
        ids = torch.zeros(len(items), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, item in enumerate(items):
            length = len(item["input_ids"])
            ids[row, :length] = torch.as_tensor(item["input_ids"])
            mask[row, :length] = 1
        labels = torch.tensor([item["labels"] for item in items])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def sentences(rows: int = ROWS, longest: int = 8, seed: int = 0) -> Dataset:
    """Return sentences of 2 to `longest` numbers; the label is whether the second is even."""
    chance = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 9, (rows,), generator=chance).tolist()
    ids = [torch.randint(1, 40, (length,), generator=chance).tolist() for length in lengths]
    labels = [each[1] % 2 for each in ids]
    return Dataset.from_dict({"input_ids": [each[:longest] for each in ids], "labels": labels})


def pictures(rows: int = ROWS, size: int = 32) -> Dataset:
    """Return random pictures of two classes as numbers, for `set_transform`."""
    chance = torch.Generator().manual_seed(0)
    labels = [row % 2 for row in range(rows)]
    pixels = torch.randint(0, 128, (rows, 8, 8, 3), dtype=torch.uint8, generator=chance)
    pixels += torch.tensor(labels, dtype=torch.uint8)[:, None, None, None] * 64
    large = pixels.repeat_interleave(size // 8, 1).repeat_interleave(size // 8, 2)
    data = Dataset.from_dict({"image": [each.numpy().tobytes() for each in large]})
    data = data.add_column("labels", labels)
    data.set_transform(Pixels(size))
    return data


def unpacked(packed: bytes, size: int = 32) -> torch.Tensor:
    """Return a picture of `pictures`, [3, size, size], between 0 and 1."""
    raw = torch.frombuffer(bytearray(packed), dtype=torch.uint8)
    return raw.view(size, size, 3).permute(2, 0, 1) / 255


class Pixels:
    """A transform of `pictures`.

    Args:
        size: of the pictures that are stored.
        change: what is done to each.
    """

    def __init__(
        self, size: int = 32, change: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        self.size, self.change = size, change

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        images = [unpacked(each, self.size) for each in rows["image"]]
        changed = images if self.change is None else [self.change(each) for each in images]
        return {"pixel_values": changed, "labels": rows["labels"]}


def probe() -> FreezingCallback:
    """Return the callback that trains the head alone."""
    return FreezingCallback(FreezingSchedule.linear_probe())


def make(
    folder: Path,
    *callbacks: TrainerCallback,
    model: nn.Module | None = None,
    data: Any = None,
    collate: Any = None,
    kind: type[Trainer] = Trainer,
    evaluation: Any = None,
    **arguments: Any,
) -> Trainer:
    """Return a Trainer over ROWS sentences, or over data whose items only have to be stacked."""
    defaults: dict[str, Any] = {
        "max_steps": STEPS,
        "per_device_train_batch_size": BATCH,
        "per_device_eval_batch_size": BATCH,
        "learning_rate": 3e-2,
        # Attention is blind to the bias of keys, and Adam would blow that noise up.
        "adam_epsilon": 1e-4,
        "logging_steps": 1,
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": [],
        "remove_unused_columns": False,
    }
    return kind(
        model=bert() if model is None else model,
        args=TrainingArguments(output_dir=str(folder / "run"), **(defaults | arguments)),
        train_dataset=sentences() if data is None else data,
        eval_dataset=evaluation,
        data_collator=(Pad() if data is None else None) if collate is None else collate,
        callbacks=list(callbacks),
    )


def train(
    trainer: Trainer, cache: Path | None, *, resume: str | None = None, **options: Any
) -> Done:
    """Train, with a cache in this folder or with none."""
    handle = None if cache is None else prefix_cache(trainer, folder=cache, **options)
    return again(trainer, handle, resume=resume)


def again(trainer: Trainer, handle: PrefixCache | None, *, resume: str | None = None) -> Done:
    """Train, with the cache that the Trainer has."""
    model: Any = trainer.model
    before = tensors(model)
    trainer.train(resume_from_checkpoint=resume)
    after = tensors(model)
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    moved = gap(before, after)
    assert moved > 1e-2, "nothing was learned: such a run compares nothing"
    return Done(after, moved, losses, [] if handle is None else list(handle.uses))


def gap(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """Return the largest difference of any number."""
    assert one.keys() == two.keys()
    return max(
        float((value.double() - two[name].double()).abs().max()) for name, value in one.items()
    )


def entry_with(cache: Path, pattern: str) -> Path:
    """Return the entry of the cache that has files of this name; fails unless it is one."""
    (found,) = {file.parent for file in cache.glob(f"*/{pattern}")}
    return found


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the package warned of."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= logging.WARNING and each.name.startswith("hf_transfer_plugin")
    ]
