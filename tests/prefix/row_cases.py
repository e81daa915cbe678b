"""Datasets and collators that the tests of rows share."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    default_data_collator,
)
from transformers.trainer_utils import RemoveColumnsCollator

from hf_transfer_plugin import DataSpec, load_data
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import prepare_images
from hf_transfer_plugin.prefix.row_source import RowSource
from tests.tiny_runs import image_checkpoint, write_images

WORDS = ("film", "plot", "cast", "a", "the", "good", "unspeakable", "end", ".")


@lru_cache
def tokenizer(side: str = "right") -> Any:
    made = Checkpoint("sample:minilm").tokenizer()
    made.padding_side = side
    return made


def sentences(count: int = 60, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(1, 30))) for _ in range(count)]


def encoded(count: int = 60, pairs: bool = False, **options: Any) -> dict[str, Any]:
    texts = [sentences(count)] + ([sentences(count, 1)] if pairs else [])
    return {**tokenizer()(*texts, **options), "labels": [i % 3 for i in range(count)]}


def tokens(count: int = 60, **options: Any) -> Dataset:
    return Dataset.from_dict(encoded(count, **options))


def padded(**options: Any) -> RowSource:
    return RowSource(tokens(), DataCollatorWithPadding(tokenizer(), **options))


def padded_left() -> RowSource:
    return RowSource(tokens(), DataCollatorWithPadding(tokenizer("left")))


def pairs() -> RowSource:
    return RowSource(tokens(pairs=True), DataCollatorWithPadding(tokenizer()))


def fixed() -> RowSource:
    data = tokens(padding="max_length", max_length=32, truncation=True)
    return RowSource(data, default_data_collator)


def chosen_by_trainer() -> RowSource:
    """Return rows with texts beside, which Trainer's collator drops, behind an index mapping."""
    data = tokens().add_column("text", sentences()).select(range(59, 9, -1))
    names = ["input_ids", "attention_mask", "token_type_ids", "labels"]
    return RowSource(data, RemoveColumnsCollator(DataCollatorWithPadding(tokenizer()), names))


def labelled_tokens() -> RowSource:
    data = encoded()
    data["labels"] = [[0, *(i % 5 for i in ids[1:])] for ids in data["input_ids"]]
    collate = DataCollatorForTokenClassification(tokenizer(), pad_to_multiple_of=4)
    return RowSource(Dataset.from_dict(data), collate)


def tokenized_on_the_fly() -> RowSource:
    """Return texts whose transform pads to the longest of those that are read together."""
    data = Dataset.from_dict({"text": sentences(), "labels": [i % 2 for i in range(60)]})

    def transform(rows: dict[str, Any]) -> dict[str, Any]:
        return {**tokenizer()(rows["text"], padding=True), "labels": rows["labels"]}

    return RowSource(data.with_transform(transform), default_data_collator)


class Sounds(torch.utils.data.Dataset[Any]):
    """Items without keys: two channels over a time that differs, and a class."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        draw = torch.Generator().manual_seed(index)
        return torch.randn(2, 3 + index * 7 % 11, generator=draw), index % 2


def stack_sounds(items: list[Any]) -> dict[str, Any]:
    whole = max(sound.shape[1] for sound, _ in items)
    values = torch.full((len(items), 2, whole), 0.5, dtype=torch.bfloat16)
    for into, (sound, _) in zip(values, items, strict=True):
        into[:, : sound.shape[1]] = sound
    labels = torch.tensor([label for _, label in items])
    return {"values": values, "labels": labels, "weights": torch.ones(2), "mode": "sound"}


def sounds() -> RowSource:
    return RowSource(Sounds(), stack_sounds)


def listed() -> RowSource:
    draw = torch.Generator().manual_seed(0)
    rows = [{"x": torch.randn(4, generator=draw), "labels": i % 2} for i in range(21)]
    return RowSource(rows, default_data_collator)


class Named(torch.utils.data.Dataset[Any]):
    """A dataset of tensors as dicts."""

    def __init__(self, changed: int | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        values = torch.randn(101, 4, generator=draw)
        if changed is not None:
            values[changed, 0] += 1
        self.rows = torch.utils.data.TensorDataset(values, torch.arange(101) % 2)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        x, label = self.rows[index]
        return {"x": x, "labels": label}


def named(changed: int | None = None) -> RowSource:
    return RowSource(Named(changed), default_data_collator)


def pictures(folder: Path) -> RowSource:
    if not (folder / "pictures").exists():
        write_images(folder / "pictures", per_class=20)
        image_checkpoint(folder / "resnet")
    data = load_data(DataSpec(str(folder / "pictures")), "image-classification")
    processor = Checkpoint(str(folder / "resnet")).image_processor(None)
    prepared = prepare_images(data, processor)
    return RowSource(prepared.splits["train"], prepared.collate)


def masked_words(views: int = 1) -> RowSource:
    return RowSource(tokens(), DataCollatorForLanguageModeling(tokenizer()), views=views)


def flipped(views: int = 1, seed: int = 0, generator: torch.Generator | None = None) -> RowSource:
    """Return pictures that torchvision, or a generator of its own, turns around at random."""
    from torchvision.transforms import v2

    draw = torch.Generator().manual_seed(0)
    data = Dataset.from_dict({"i": list(range(40)), "labels": [i % 2 for i in range(40)]})
    pixels = torch.rand(40, 3, 4, 4, generator=draw)
    flip = v2.RandomHorizontalFlip()

    def turn(picture: torch.Tensor) -> torch.Tensor:
        if generator is None:
            return flip(picture)  # type: ignore[no-any-return]
        return picture.flip(-1) if torch.rand(1, generator=generator) < 0.5 else picture

    def transform(rows: dict[str, Any]) -> dict[str, Any]:
        return {"pixel_values": [turn(pixels[i]) for i in rows["i"]], "labels": rows["labels"]}

    return RowSource(data.with_transform(transform), default_data_collator, views=views, seed=seed)


# name -> (source, is any field padded, multiple, left)
CASES: dict[str, tuple[Callable[[], RowSource], bool, int, bool]] = {
    "padded": (padded, True, 1, False),
    "padded to 8": (partial(padded, pad_to_multiple_of=8), True, 8, False),
    "padded on the left": (padded_left, True, 1, True),
    "padded to the limit": (partial(padded, padding="max_length", max_length=64), False, 1, False),
    "pairs": (pairs, True, 1, False),
    "tokenized to one length": (fixed, False, 1, False),
    "Trainer's collator": (chosen_by_trainer, True, 1, False),
    "labels of tokens": (labelled_tokens, True, 4, False),
    "tokenized on the fly": (tokenized_on_the_fly, True, 1, False),
    "sounds": (sounds, True, 1, False),
    "list": (listed, False, 1, False),
    "views": (partial(flipped, 3), False, 1, False),
}
