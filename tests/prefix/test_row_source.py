"""Rows cut out of batches and put together again are what the collator gives, bit for bit."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch.utils.data import IterableDataset
from transformers import DataCollatorWithPadding, default_data_collator
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import RemoveColumnsCollator

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.prefix.determinism import NotCacheable, check_deterministic
from hf_transfer_plugin.prefix.light_rows import LightDataset, LightRow
from hf_transfer_plugin.prefix.padding import same_values
from hf_transfer_plugin.prefix.row_source import RowSource
from tests.prefix.row_cases import (
    CASES,
    flipped,
    listed,
    masked_words,
    padded,
    pictures,
    tokenizer,
    tokens,
)


def _states() -> list[Any]:
    return [random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()]


def _assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert same_values(first[name], second[name]), name


def _assert_round_trip(source: RowSource, batches: int = 60) -> None:
    draw = random.Random(0)
    for number in range(batches):
        rows = [draw.randrange(source.rows) for _ in range(1 + number % 9)]
        batch = source.batch(rows)
        split = source.split(batch, rows)
        assert list(split) == [name for name, _, _ in source.rules.specs()]
        assert len(split["labels"]) == len(rows)
        _assert_same(source.rules.join(split), batch)


@pytest.mark.parametrize("name", CASES)
def test_rows_and_rules_make_up_every_batch(name: str) -> None:
    assert len(CASES) == 12
    make, ragged, multiple, left = CASES[name]
    source = make()
    before = _states()
    check_deterministic(source)
    rules, lengths = source.rules, source.lengths()
    assert _states() == before
    assert (rules.ragged, rules.multiple, rules.left) == (ragged, multiple, left)
    _assert_round_trip(source)
    if not ragged:
        assert lengths is None
        return
    assert lengths is not None and lengths.dtype == np.int64 and len(lengths) == source.rows
    assert len(set(lengths)) > 5
    padded_fields = {each.name: each.padded for each in rules.fields if each.padded is not None}
    assert padded_fields.keys() == rules.pads.keys()
    for row in range(source.rows):
        alone = source.batch([row])
        for field, dimension in padded_fields.items():
            assert alone[field].shape[dimension + 1] == rules.batch_length([lengths[row]])


def test_what_is_known_of_padded_texts() -> None:
    source = padded(pad_to_multiple_of=8)
    assert source.rules.pads == {"input_ids": 0, "token_type_ids": 0, "attention_mask": 0}
    assert source.rules.specs()[0] == ("input_ids", torch.int64, (None,))
    assert source.rules.specs()[-1] == ("labels", torch.int64, ())
    assert source.rules.length_key == "input_ids"
    assert [source.rules.batch_length([n, 3]) for n in (3, 8, 9, 16)] == [8, 8, 16, 16]
    lengths = source.lengths()
    assert lengths is not None
    assert lengths.tolist() == [len(ids) for ids in source.dataset["input_ids"]]
    rows = source.split(source.batch([5, 6]), [5, 6])
    assert [len(row) for row in rows["input_ids"]] == lengths[[5, 6]].tolist()


def test_labels_of_tokens_have_their_own_padding() -> None:
    source = CASES["labels of tokens"][0]()
    assert source.rules.pads["labels"] == -100
    assert source.rules.pads["attention_mask"] == 0


def test_constants_are_no_rows() -> None:
    source = CASES["sounds"][0]()
    assert source.rules.pads == {"values": 0.5}
    assert source.rules.specs() == [
        ("values", torch.bfloat16, (2, None)),
        ("labels", torch.int64, ()),
    ]
    assert source.rules.constants.keys() == {"weights", "mode"}


def test_one_row_that_is_longer_than_all_others_is_seen() -> None:
    texts = ["a film"] * 999
    texts.insert(123, "a film and a plot and a cast")
    data = Dataset.from_dict({**tokenizer()(texts), "labels": [0] * 1000})
    source = RowSource(data, DataCollatorWithPadding(tokenizer()))
    lengths = source.lengths()
    assert lengths is not None and lengths.tolist() == [4] * 123 + [10] + [4] * 876
    _assert_round_trip(source)


def test_images_have_one_shape(tmp_path: Path) -> None:
    source = pictures(tmp_path)
    check_deterministic(source)
    assert source.lengths() is None
    assert source.rules.specs()[0] == ("pixel_values", torch.float32, (3, 32, 32))
    _assert_round_trip(source, 20)


def test_a_later_row_of_another_shape_is_an_error() -> None:
    rows = [{"x": torch.zeros(4), "labels": 0} for _ in range(100)]
    rows[50] = {"x": torch.zeros(5), "labels": 0}
    source = RowSource(rows, default_data_collator)
    assert 50 not in source.spread(32) and source.lengths() is None
    with pytest.raises(DataError, match=r"rows of \(5,\).*before all had 4 "):
        source.split(source.batch([50]), [50])


def test_a_row_that_goes_on_after_its_length_is_an_error() -> None:
    source = padded()
    batch = source.batch([0, 1, 2, 3])
    with pytest.raises(DataError, match="goes on after"):
        source.rules.split(batch, [2, 2, 2, batch["input_ids"].shape[1]])


def test_single_example() -> None:
    source = RowSource(listed().dataset[:1], default_data_collator)
    check_deterministic(source)
    assert (source.rows, source.rules.ragged) == (1, False)
    _assert_round_trip(source, 9)


def test_views_are_the_same_whenever_they_are_read() -> None:
    source, other = flipped(views=3), flipped(views=3, seed=1)
    assert (source.examples, source.views, source.rows) == (40, 3, 120)
    before = _states()
    whole = source.batch(range(120))["pixel_values"]
    for row in (119, 0, 60, 7):
        random.seed(row)
        torch.manual_seed(row)
        assert torch.equal(source.batch([row])["pixel_values"][0], whole[row])
    assert not torch.equal(whole, other.batch(range(120))["pixel_values"])
    turned = [(whole[3 * i] != whole[3 * i + 1]).any().item() for i in range(40)]
    assert 5 < sum(turned) < 35
    assert torch.equal(whole[0].sort(-1).values, whole[1].sort(-1).values)
    random.setstate(before[0])
    torch.set_rng_state(torch.tensor(before[2], dtype=torch.uint8))


def test_random_states_are_put_back_when_reading_fails() -> None:
    class Broken:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> dict[str, Any]:
            random.random(), np.random.rand(), torch.rand(1)
            raise OSError("gone")

    before = _states()
    with pytest.raises(OSError, match="gone"):
        RowSource(Broken(), default_data_collator, views=2).batch([0])
    assert _states() == before


def _stream(**methods: Any) -> RowSource:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Any:
            return iter([])

    for name, method in methods.items():
        setattr(Stream, name, method)

    return RowSource(Stream(), default_data_collator)


def _collated(change: Callable[[dict[str, Any], list[Any]], Any]) -> RowSource:
    inner = DataCollatorWithPadding(tokenizer())

    def collate(items: list[Any]) -> dict[str, Any]:
        batch = dict(inner(items))
        change(batch, items)
        return batch

    return RowSource(tokens(), collate)


def _add(name: str, make: Callable[[dict[str, Any]], Any]) -> RowSource:
    return _collated(lambda batch, _: batch.update({name: make(batch)}))


def _noise(index: int) -> dict[str, Any]:
    return {"x": torch.zeros(3) + np.random.default_rng().random(), "labels": 0}


class _Noisy:
    """Draws from a generator that no seed reaches."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, Any]:
        return _noise(index)


# name -> (source, part of the reason)
REFUSED: dict[str, tuple[Callable[[], RowSource], str]] = {
    "stream": (_stream, "is a stream"),
    "stream with a length": (partial(_stream, __len__=lambda _: 3), "is a stream"),
    "stream of datasets": (
        lambda: RowSource(tokens().to_iterable_dataset(), default_data_collator),
        "(IterableDataset) is a stream",
    ),
    "empty": (lambda: RowSource([], default_data_collator), "empty"),
    "masked words": (masked_words, "collator draws random numbers (torch"),
    "masked words in views": (partial(masked_words, 2), "the data collator draws random numbers"),
    "flipped": (flipped, "use views=K"),
    "own generator": (lambda: flipped(generator=torch.Generator()), "two readings"),
    "own generator in views": (
        lambda: flipped(views=2, generator=torch.Generator()),
        "a random generator of its own",
    ),
    "own noise": (lambda: RowSource(_Noisy(), default_data_collator), "use views=K"),
    "a text that differs": (
        lambda: _add("note", lambda batch: f"{len(batch['labels'])} rows"),
        "the field note (str) differs from batch to batch",
    ),
    "mean of the batch": (
        lambda: _add("centred", lambda b: b["labels"] - b["labels"].float().mean()),
        "a row's centred depends on the other rows",
    ),
    "two lengths": (
        lambda: _add("twice", lambda b: torch.cat([b["input_ids"]] * 2, 1)),
        "the fields input_ids and twice of one row differ in length",
    ),
    "square mask": (
        lambda: _add(
            "square", lambda b: b["attention_mask"][:, None] * b["attention_mask"][..., None]
        ),
        "square is padded in more than one dimension",
    ),
    "positions as padding": (
        lambda: _add(
            "position_ids",
            lambda b: (
                torch.arange(b["input_ids"].shape[1]).expand(b["input_ids"].shape)
                + b["labels"][:, None]
            ),
        ),
        "does more to",
    ),
    "no rows": (
        lambda: RowSource([1, 2, 3], lambda items: {"x": torch.zeros(())}),
        "no tensor with an entry for each row",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_says_why(name: str) -> None:
    assert len(REFUSED) == 16
    make, reason = REFUSED[name]
    before = _states()
    with pytest.raises(NotCacheable) as caught:
        source = make()
        check_deterministic(source)
        _ = source.rules
    assert reason in caught.value.reason
    assert str(caught.value) == caught.value.reason
    assert _states() == before


def test_light_rows_load_only_what_is_asked_for() -> None:
    read = []

    class Counted:
        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> dict[str, Any]:
            read.append(index)
            return {"input_ids": [1] * (index + 1), "labels": 0}

    light = LightDataset(Counted())
    handed = RemoveColumnsCollator(lambda rows: rows, ["labels"])([light[2], light[-1]])
    assert [row.index for row in handed] == [2, 5] and read == []
    assert all(isinstance(row, LightRow) for row in handed)
    assert dict(handed[0]) == {"input_ids": [1] * 3, "labels": 0}
    assert "labels" in handed[0] and len(handed[0]) == 2 and read == [2]
    assert [row.index for row in light] == list(range(6))
    with pytest.raises(IndexError):
        light[6]
    assert LengthGroupedSampler(2, light).lengths == [1, 2, 3, 4, 5, 6]


def test_light_rows_go_to_workers() -> None:
    light = LightDataset(tokens(8))
    again = pickle.loads(pickle.dumps(light))
    assert len(again) == 8 and again[3]["labels"] == light[3]["labels"]
    loader = torch.utils.data.DataLoader(light, 4, num_workers=1, collate_fn=_numbers)
    assert list(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def _numbers(rows: list[LightRow]) -> list[int]:
    return [row.index for row in rows]
