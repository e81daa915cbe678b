"""What a dimension of a tensor follows: the rows of a batch, their length, or neither."""

from __future__ import annotations

import pytest
import torch

from hf_transfer_plugin.prefix.leaf_shapes import BatchSize, LeafShape

ONE, TWO = BatchSize(3, 9), BatchSize(2, 4)
ROWS, LENGTH = (0, 1, 0), (0, 0, 1)
#: Shapes in the batches ONE and TWO -> dimensions, and the shape of one row.
SHAPES = {
    "rows": ((3,), (2,), (ROWS,), ()),
    "rows and width": ((3, 16), (2, 16), (ROWS, (16, 0, 0)), (16,)),
    "hidden states": ((3, 9, 16), (2, 4, 16), (ROWS, LENGTH, (16, 0, 0)), (None, 16)),
    "mask": ((3, 1, 9, 9), (2, 1, 4, 4), (ROWS, (1, 0, 0), LENGTH, LENGTH), (1, None, None)),
    "twice the length": ((3, 18), (2, 8), (ROWS, (0, 0, 2)), None),
    "rows by heads": ((6, 9), (4, 4), ((0, 2, 0), LENGTH), None),
    "one for all": ((1, 9, 16), (1, 4, 16), ((1, 0, 0), LENGTH, (16, 0, 0)), None),
    "rows inside": ((9, 3), (4, 2), (LENGTH, ROWS), None),
    "a number": ((), (), (), None),
    "empty": ((3, 0), (2, 0), (ROWS, (0, 0, 0)), (0,)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_learned(name: str) -> None:
    one, two, dims, row = SHAPES[name]
    shape = LeafShape.learn(torch.zeros(one), ONE, torch.zeros(two), TWO)
    assert shape is not None and shape.dims == dims
    assert shape.of_row() == row
    assert shape.at(ONE) == one and shape.at(TWO) == two
    assert shape.zeros(BatchSize(5, 7), torch.device("cpu")).shape == shape.at(BatchSize(5, 7))
    assert shape.zeros(ONE, torch.device("cpu"), solid=True).is_contiguous()


@pytest.mark.parametrize(
    ("one", "two"), [((3, 5), (2, 6)), ((3,), (2, 1)), ((3, 10), (2, 5)), ((4,), (3,))]
)
def test_follows_neither(one: tuple[int, ...], two: tuple[int, ...]) -> None:
    assert LeafShape.learn(torch.zeros(one), ONE, torch.zeros(two), TWO) is None


def test_other_types() -> None:
    halves = torch.zeros(2, dtype=torch.float16)
    assert LeafShape.learn(torch.zeros(3), ONE, halves, TWO) is None
    shape = LeafShape.learn(torch.zeros(3, dtype=torch.int64), ONE, torch.zeros(2).long(), TWO)
    assert shape is not None and shape.dtype is torch.int64


def test_ambiguous_batches_count_as_rows() -> None:
    """Probes are chosen so that it cannot come to this."""
    shape = LeafShape.learn(torch.zeros(6), BatchSize(3, 6), torch.zeros(4), BatchSize(2, 4))
    assert shape is not None and shape.dims == ((0, 2, 0),)


def test_no_length_when_nothing_is_padded() -> None:
    one, two = BatchSize(3), BatchSize(2)
    assert LeafShape.learn(torch.zeros(3, 9), one, torch.zeros(2, 4), two) is None


def test_channels_last() -> None:
    one, two = (torch.randn(n, 4, 5, 6) for n in (3, 2))
    plain = LeafShape.learn(one, BatchSize(3), two, BatchSize(2))
    last = LeafShape.learn(
        one.contiguous(memory_format=torch.channels_last), BatchSize(3), two, BatchSize(2)
    )
    assert plain is not None and last is not None
    assert not plain.channels_last and last.channels_last
    assert plain.of_row() == last.of_row() == plain.kept_row() == (4, 5, 6)
    assert last.kept_row() == (5, 6, 4)
    assert torch.equal(last.fed(last.kept(one)), one)
    assert last.kept(one).shape == (3, 5, 6, 4)
