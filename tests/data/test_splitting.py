"""Rows are chosen by class; a sample holds each class, however few rows stay out of it."""

from __future__ import annotations

from collections import Counter

import pytest

from hf_transfer_plugin import DataSpec
from hf_transfer_plugin.data.splitting import choose_rows
from hf_transfer_plugin.errors import DataError

LABELS = [0] * 20 + [1] * 10 + [2]


def _sample(size: int) -> list[int]:
    spec = DataSpec("rows", train_examples=size)
    return choose_rows(spec, {"train": LABELS, "validation": LABELS, "test": LABELS})["train"][1]


@pytest.mark.parametrize("size", [30, 29, 16, 3])
def test_a_sample_holds_each_class(size: int) -> None:
    drawn = _sample(size)
    counts = Counter(LABELS[row] for row in drawn)
    assert len(drawn) == size == len(set(drawn)) and drawn == sorted(drawn)
    assert counts[2] == 1 and counts[1] > 0 and counts[0] > 0
    assert _sample(size) == drawn, "the seed decides"


def test_a_sample_smaller_than_the_classes_is_an_error() -> None:
    with pytest.raises(DataError, match="31 rows of 3 classes cannot give 2 for train"):
        _sample(2)
