"""Pairs of a labelled source row and an unlabelled target row, as batches of a Trainer."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer, DataCollatorWithPadding

from hf_transfer_plugin import DomainPairs, DomainPairsCollator, TransferError
from hf_transfer_plugin.data import UNLABELLED
from tests.tiny_runs import text_checkpoint


class Items:
    """A map-style dataset that is nothing else."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


def _rows(count: int, first: int = 0, **labels: Any) -> list[dict[str, Any]]:
    return [{"pixel_values": torch.full((3, 2, 2), first + i), **labels} for i in range(count)]


def _stack(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: torch.stack([torch.as_tensor(row[name]) for row in rows]) for name in rows[0]}


@pytest.mark.parametrize(("ours", "theirs"), [(5, 12), (12, 5), (6, 6), (1, 3)])
def test_every_row_takes_part_and_none_more_often_than_needed(ours: int, theirs: int) -> None:
    pairs = DomainPairs(Items(_rows(ours, labels=1)), Items(_rows(theirs, 100)), seed=3)
    assert len(pairs) == max(ours, theirs)
    numbers = [pairs.row_numbers([index]) for index in range(len(pairs))]
    for side, rows in enumerate((ours, theirs)):
        counts = [0] * rows
        for pair in numbers:
            counts[pair[side] - side * ours] += 1
        assert max(counts) - min(counts) <= 1
    again = DomainPairs(pairs.rows.source, pairs.rows.target, seed=3)
    assert [again.row_numbers([index]) for index in range(len(again))] == numbers
    if max(ours, theirs) > 3:
        other = DomainPairs(pairs.rows.source, pairs.rows.target, seed=4)
        assert [other.row_numbers([index]) for index in range(len(other))] != numbers


def test_a_batch_of_images_holds_the_source_then_the_target_without_labels() -> None:
    # The target's own labels, under another name, are seen by nobody.
    pairs = DomainPairs(Items(_rows(4, labels=torch.tensor(1))), Items(_rows(3, 100, label=7)))
    collate = DomainPairsCollator(_stack)
    batch = collate(pickle.loads(pickle.dumps(pairs)).__getitems__([0, 1, 2]))
    assert set(batch) == {"pixel_values", "labels"}
    assert batch["labels"].tolist() == [1, 1, 1, *[UNLABELLED] * 3]
    values = batch["pixel_values"][:, 0, 0, 0].tolist()
    assert values[:3] == [0, 1, 2] and sorted(values[3:]) == [100, 101, 102]
    assert torch.equal(collate([pairs[-1]])["pixel_values"], _stack(list(pairs[3]))["pixel_values"])
    assert collate(_rows(2, labels=0))["labels"].tolist() == [0, 0]
    with pytest.raises(IndexError):
        pairs[4]


def test_texts_of_both_domains_are_padded_together(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(text_checkpoint(tmp_path))
    source = Dataset.from_dict({**tokenizer(["a", "a b c d"]), "labels": [0, 1]})
    target = Dataset.from_dict(dict(tokenizer(["one two three four five six", "x", "y z"])))
    pairs = DomainPairs(source, target)
    batch = DomainPairsCollator(DataCollatorWithPadding(tokenizer))([pairs[0], pairs[1]])
    assert batch["input_ids"].shape == (4, 6)
    assert sorted(batch["labels"].tolist()) == [UNLABELLED, UNLABELLED, 0, 1]
    lengths = batch["attention_mask"].sum(1).tolist()
    assert (sorted(lengths[:2]), lengths[2:]) == ([1, 4], [6, 1])


GOOD = _rows(2, labels=0)
# name -> (source, target, words of the error)
WRONG: dict[str, tuple[Any, Any, tuple[str, ...]]] = {
    "no source": ([], GOOD, ("no source rows", "filter")),
    "no target": (GOOD, [], ("no target rows", "filter")),
    "a stream": (GOOD, iter(GOOD), ("target rows that are a stream", "length")),
    "no labels": (_rows(2), GOOD, ("source rows without labels", "class of each source row")),
    "a score": (_rows(2, labels=0.5), GOOD, ("labels is a float", "classification")),
    "other columns": (
        GOOD,
        [{"input_ids": [1], "labels": 0}],
        ("source rows with pixel_values and target rows with input_ids", "same inputs"),
    ),
    "no rows": (GOOD, [(1, 2)], ("target rows that are tuple", "dictionaries")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_paired_is_named(name: str) -> None:
    source, target, words = WRONG[name]
    with pytest.raises(TransferError) as caught:
        DomainPairs(source, target)
    for word in words:
        assert word in str(caught.value)
