"""Rows as a checkpoint reads them: what its own tokenizer or processor gives, no more, no less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoImageProcessor, AutoTokenizer

from hf_transfer_plugin import DataSpec, load_data
from hf_transfer_plugin.data import TargetData, prepare_images, prepare_texts
from hf_transfer_plugin.data.plain import plain_features
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_images,
    write_table,
    write_text_folder,
)

ROLES = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


def _alone() -> TargetData:
    return load_data(DataSpec(str(write_text_folder(Path("texts")))), "text-classification")


def _short() -> TargetData:
    write_text_folder(Path("texts"))
    return load_data(DataSpec("texts", max_length=4), "text-classification")


def _pair() -> TargetData:
    columns = texts(40)
    rows = {"first": columns["text"], "second": columns["text"][::-1], "label": columns["label"]}
    write_table(Path("pairs.parquet"), rows)
    spec = DataSpec("pairs.parquet", text="first", text_pair="second", max_length=9)
    return load_data(spec, "text-classification")


# name -> (data, most tokens of a row)
TEXTS: dict[str, tuple[Callable[[], TargetData], int]] = {
    "texts": (_alone, 16),
    "cut texts": (_short, 4),
    "cut pairs": (_pair, 9),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_what_the_tokenizer_gives(name: str) -> None:
    assert len(TEXTS) == 3
    make, longest = TEXTS[name]
    data = make()
    tokenizer = AutoTokenizer.from_pretrained(text_checkpoint(Path("bert")))
    prepared = prepare_texts(data, tokenizer)
    lengths = set()
    for role in ROLES:
        rows, given = data.splits[role], prepared.splits[role]
        assert len(rows) == len(given)
        for row, encoded in zip(rows, given, strict=True):
            parts = [row[column] for column in data.inputs]
            expected = tokenizer(*parts, truncation=True, max_length=longest)
            assert {**expected, "labels": row["label"]} == encoded
            lengths.add(len(encoded["input_ids"]))
    assert max(lengths) <= longest
    assert name == "texts" or max(lengths) == longest


def test_batches_are_padded_to_their_longest_row() -> None:
    data = _alone()
    tokenizer = AutoTokenizer.from_pretrained(text_checkpoint(Path("bert")))
    prepared = prepare_texts(data, tokenizer)
    rows = sorted(prepared.splits["train"], key=lambda row: len(row["input_ids"]))
    short, long = rows[0], rows[-1]
    gap = len(long["input_ids"]) - len(short["input_ids"])
    assert gap > 0
    batch = prepared.collate([short, long])
    assert batch["input_ids"].shape == (2, len(long["input_ids"]))
    assert batch["input_ids"][0].tolist() == short["input_ids"] + [tokenizer.pad_token_id] * gap
    assert batch["attention_mask"].sum(1).tolist() == [len(r["input_ids"]) for r in (short, long)]
    assert batch["labels"].tolist() == [short["labels"], long["labels"]]
    assert prepared.processor is tokenizer


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_images_are_what_the_processor_gives_for_the_picture_in_colour(mode: str) -> None:
    from PIL import Image

    for file in write_images(Path("pictures"), per_class=10).rglob("*.png"):
        with Image.open(file) as picture:
            picture.convert(mode).save(file)
    data = load_data(DataSpec("pictures", validation_fraction=0.2), "image-classification")
    processor = AutoImageProcessor.from_pretrained(image_checkpoint(Path("resnet")))
    prepared = prepare_images(data, processor)
    for role in ROLES:
        batch = prepared.collate([prepared.splits[role][i] for i in range(4)])
        pictures = [data.splits[role][i]["image"] for i in range(4)]
        assert {picture.mode for picture in pictures} == {mode}
        expected = processor([p.convert("RGB") for p in pictures], return_tensors="pt")
        assert torch.equal(batch["pixel_values"], expected["pixel_values"])
        assert batch["pixel_values"].shape == (4, 3, 32, 32)
        assert batch["labels"].tolist() == list(data.labels(role)[:4])


def test_words_and_their_weights_come_from_train_alone() -> None:
    other = texts(10, start=25)
    other["text"] = [f"{text} unheard" for text in other["text"]]
    data = _alone()
    write_text_folder(Path("other"), test=other)
    changed = load_data(DataSpec("other"), "text-classification")
    first, second = (plain_features(each, ROLES) for each in (data, changed))
    assert (first["train"] != second["train"]).nnz == 0
    assert first["train"].shape[1] == second["test"].shape[1]
    assert plain_features(data, most_words=5)["train"].shape == (40, 5)


def test_plain_pixels_lie_between_0_and_1() -> None:
    write_images(Path("pictures"), per_class=10)
    data = load_data(DataSpec("pictures", validation_fraction=0.2), "image-classification")
    pixels = plain_features(data, ("test",))["test"]
    assert pixels.shape == (len(data.splits["test"]), 32 * 32 * 3)
    assert 0 <= pixels.min() < 0.4 < 0.6 < pixels.max() <= 1
