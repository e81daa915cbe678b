"""Data of every kind to the same three checked splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hf_transfer_plugin import DataSpec, load_data
from hf_transfer_plugin.data import TargetData, prepare_images, prepare_texts
from tests.tiny_runs import (
    CLASSES,
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_images,
    write_table,
    write_text_folder,
)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


def _texts(spec: DataSpec) -> TargetData:
    return load_data(spec, "text-classification")


def _sizes(data: TargetData) -> tuple[int, ...]:
    return tuple(len(data.splits[role]) for role in ("train", "validation", "test"))


def _folder() -> str:
    return str(write_text_folder(Path("texts")))


def _table(suffix: str) -> Callable[[], str]:
    return lambda: str(write_table(Path(f"rows{suffix}"), texts(40)))


SOURCES: dict[str, tuple[Callable[[], str], tuple[int, int, int]]] = {
    "parquet folder": (_folder, (40, 10, 20)),
    "csv": (_table(".csv"), (56, 8, 16)),
    "tsv": (_table(".tsv"), (56, 8, 16)),
    "json lines": (_table(".jsonl"), (56, 8, 16)),
    "parquet": (_table(".parquet"), (56, 8, 16)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(kind: str) -> None:
    write, sizes = SOURCES[kind]
    data = _texts(DataSpec(write()))
    assert _sizes(data) == sizes
    assert data.class_names == CLASSES
    for role, counts in data.summary.counts.items():
        assert counts[0] == counts[1], role
        rows = data.splits[role]
        assert all(data.class_names[row["label"]] in row["text"].split() for row in rows)
    every = [text for rows in data.splits.values() for text in rows["text"]]
    assert len(set(every)) == len(every) and not data.summary.warnings


def test_held_out_rows_follow_from_the_seed() -> None:
    path = str(write_table(Path("rows.csv"), texts(40)))
    drawn = [_texts(DataSpec(path, seed=seed)).splits["test"]["text"] for seed in (0, 0, 1)]
    assert list(drawn[0]) == list(drawn[1]) != list(drawn[2])


def test_subsamples_keep_the_shares_of_the_classes() -> None:
    spec = DataSpec(_folder(), train_examples=10, validation_examples=4, test_examples=6)
    assert {role: tuple(c) for role, c in _texts(spec).summary.counts.items()} == {
        "train": (5, 5),
        "validation": (2, 2),
        "test": (3, 3),
    }


def test_numbers_with_gaps_are_classes_in_order() -> None:
    columns = texts(40)
    numbers = [{"bad": 7, "good": 2}[name] for name in columns["label"]]
    path = write_table(Path("rows.csv"), {"text": columns["text"], "label": numbers})
    assert _texts(DataSpec(str(path))).class_names == ("2", "7")


def test_pairs_are_read_together() -> None:
    columns = texts(40)
    pairs = {"first": columns["text"], "second": columns["text"][::-1], "label": columns["label"]}
    path = write_table(Path("pairs.parquet"), pairs)
    data = _texts(DataSpec(str(path), text="first", text_pair="second"))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(text_checkpoint(Path("bert")))
    prepared = prepare_texts(data, tokenizer)
    row = data.splits["train"][0]
    expected = tokenizer(row["first"], row["second"], truncation=True, max_length=16)
    assert prepared.splits["train"][0]["input_ids"] == expected["input_ids"]
    batch = prepared.collate([prepared.splits["train"][i] for i in range(3)])
    assert batch["input_ids"].shape == batch["attention_mask"].shape


def test_leaks_and_missing_test_classes_are_warned_of() -> None:
    leaking = texts(10, start=25)
    leaking["text"][0] = texts(20)["text"][0]
    write_text_folder(Path("texts"), test=leaking)
    assert _texts(DataSpec("texts")).summary.warnings == ("1 test rows stand in train too",)
    only = {"text": ["bad one"], "label": ["bad"]}
    write_text_folder(Path("one"), test=only)
    (warning,) = _texts(DataSpec("one")).summary.warnings
    assert "test has no example of 'good'" in warning


def test_fingerprint_follows_the_rows() -> None:
    first = _texts(DataSpec(_folder())).summary.fingerprint
    assert _texts(DataSpec("texts", max_length=5)).summary.fingerprint == first
    changed = texts(20)
    changed["text"][3] += "!"
    write_text_folder(Path("other"), train=changed)
    assert _texts(DataSpec("other")).summary.fingerprint != first


def test_image_folder_gives_what_the_processor_gives() -> None:
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor

    write_images(Path("pictures"), per_class=10)
    spec = DataSpec("pictures", validation_fraction=0.2)
    data = load_data(spec, "image-classification")
    assert data.class_names == ("cat", "dog") and _sizes(data) == (12, 4, 4)
    processor = AutoImageProcessor.from_pretrained(image_checkpoint(Path("resnet")))
    prepared = prepare_images(data, processor)
    batch = prepared.collate([prepared.splits["test"][i] for i in range(2)])
    assert batch["pixel_values"].shape == (2, 3, 32, 32)
    picture = data.splits["test"][0][data.inputs[0]]
    assert isinstance(picture, Image.Image) and picture.mode == "L"
    expected = processor(picture.convert("RGB"), return_tensors="pt")["pixel_values"][0]
    assert torch.equal(batch["pixel_values"][0], expected)
