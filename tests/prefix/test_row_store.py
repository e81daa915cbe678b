"""Rows on disk: what is read is what was written, in any order, type and shape."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import entries
from hf_transfer_plugin.prefix.row_store import CHUNK_ROWS, ArraySpec, RowStore
from tests.prefix.filling import (
    CHUNKS,
    LENGTHS,
    ROWS,
    SPECS,
    assert_right,
    chunk_of,
    fill,
    filled,
    open_store,
    row,
)

DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()
SHAPES: tuple[tuple[int | None, ...], ...] = (
    (),
    (3,),
    (None,),
    (None, 2),
    (2, None),
    (None, None),
    (2, None, None),
    (None, 2, None),
)
CASES = list(itertools.product(DTYPES, SHAPES))


def padded(
    array: ArraySpec, given: torch.Tensor, length: int, pad: float, left: bool
) -> torch.Tensor:
    """Pad one row by index arithmetic alone."""
    whole = torch.full(array.row_shape(length), pad, dtype=given.dtype)
    shift = [
        length - given.shape[dim] if left and size is None else 0
        for dim, size in enumerate(array.shape)
    ]
    for place in itertools.product(*map(range, given.shape)):
        whole[tuple(i + by for i, by in zip(place, shift, strict=True))] = given[place]
    return whole


def test_the_table_of_arrays() -> None:
    assert len(CASES) == 80 and -(-ROWS // CHUNK_ROWS) == CHUNKS


@pytest.mark.parametrize(("dtype", "shape"), CASES)
def test_round_trip(dtype: str, shape: tuple[int | None, ...], tmp_path: Path) -> None:
    array = ArraySpec("x", dtype, shape)
    lengths = np.array([3, 0, 5, 1, 4, 4, 2])
    store = open_store(tmp_path, specs=[array], rows=7, lengths=lengths)
    assert store.order.tolist() == [2, 4, 5, 0, 6, 3, 1] and store.missing() == [0]
    written = [row(array, i, int(lengths[i])) for i in range(7)]
    store.write(0, {"x": [written[i] for i in store.chunk_rows(0)]})
    again = open_store(tmp_path, specs=[array], rows=7, lengths=lengths)
    assert again.is_complete and again.bytes == sum(t.nbytes for t in written)
    rows = np.array([6, 1, 2, 0, 2])
    for left, length, pad in ((False, None, 0.0), (True, None, 1.0), (True, 8, 7.0), (False, 6, 1)):
        if dtype == "bool":
            pad = float(bool(pad))
        read = again.read(rows, length, {"x": pad} if pad else {}, left)["x"]
        expected = [padded(array, written[i], length or 5, pad, left) for i in rows]
        assert read.dtype == written[0].dtype and torch.equal(read, torch.stack(expected))
    (alone,) = again.read(np.array([1]))["x"]
    assert torch.equal(alone, written[1])


def test_fixed_rows_may_come_stacked_and_are_cast(tmp_path: Path) -> None:
    specs = [ArraySpec("x", "bfloat16", (4, 3))]
    store = open_store(tmp_path, specs=specs, rows=600, lengths=None)
    assert store.order.tolist() == list(range(600)) and store.missing() == [0, 1, 2]
    values = torch.randn(600, 4, 3, requires_grad=True)
    for chunk in store.missing():
        store.write(chunk, {"x": values[store.chunk_rows(chunk)]})
    order = np.random.default_rng(0).permutation(600)
    assert torch.equal(store.read(order)["x"], values.detach().bfloat16()[order])


def test_shuffled_reads(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert assert_right(store) == CHUNKS
    assert (np.diff(LENGTHS[store.order]) <= 0).all()
    travelled = pickle.loads(pickle.dumps(store))
    for rows in np.random.default_rng(1).permutation(ROWS).reshape(-1, 30):
        read, again = store.read(rows, pad={"hidden": -1.0}), travelled.read(rows, 40, left=True)
        longest = int(LENGTHS[rows].max())
        for place, number in enumerate(rows.tolist()):
            size = int(LENGTHS[number])
            hidden, mask = (row(each, number, size) for each in SPECS[:2])
            assert torch.equal(read["hidden"][place, :size], hidden)
            assert (read["hidden"][place, size:] == -1).all()
            assert torch.equal(again["hidden"][place, 40 - size :], hidden)
            assert torch.equal(again["mask"][place, 0, 40 - size :, 40 - size :], mask[0])
            assert int(again["mask"][place].sum()) == int(mask.sum())
        assert read["mask"].shape == (30, 1, longest, longest)
        assert read["pooled"].shape == again["pooled"].shape == (30, 8)


def test_what_depends_on_what(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    assert open_store(tmp_path, note={"model": "renamed"}).path == first.path
    others = [
        open_store(tmp_path, lengths=LENGTHS[::-1].copy()),
        open_store(tmp_path, specs=SPECS[:2]),
        open_store(tmp_path, rows=ROWS - 1, lengths=LENGTHS[:-1]),
        RowStore.open(tmp_path, {}, SPECS, ROWS, LENGTHS, budget=Budget()),
    ]
    assert len({store.path for store in (first, *others)}) == 5 == len(entries(tmp_path))


def test_what_callers_get_wrong(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(ValueError, match="not in the cache yet"):
        store.read(np.array([0]))
    right = chunk_of(store, 0)
    for wrong, text in (
        ({"hidden": right["hidden"]}, "arrays"),
        (right | {"hidden": right["hidden"][1:]}, "255 rows for a chunk of 256"),
        (right | {"hidden": [each[1:] for each in right["hidden"]]}, "for a row of"),
    ):
        with pytest.raises(ValueError, match=text):
            store.write(0, wrong)
    assert store.missing() == list(range(CHUNKS)) == open_store(tmp_path).missing()
    fill(store)
    with pytest.raises(ValueError, match="a row of length 32 in a batch of length 8"):
        store.read(np.arange(200), 8)
    for rows in ([-1], [ROWS]):
        with pytest.raises(IndexError):
            store.read(np.array(rows))
    with pytest.raises(ValueError, match="no lengths"):
        open_store(tmp_path, lengths=None)


_READING = """
import sys
import numpy as np, torch
from pathlib import Path
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.row_store import ArraySpec, RowStore
rows = int(sys.argv[2])
store = RowStore.open(
    Path(sys.argv[1]), {}, [ArraySpec("x", "float32", (384,))], rows, None, budget=Budget()
)
for chunk in store.missing():
    store.write(chunk, {"x": torch.full((len(store.chunk_rows(chunk)), 384), float(chunk))})
def resident():
    (line,) = (each for each in open("/proc/self/status") if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
store.read(np.arange(32))
before = resident()
for seed in (0, 1):
    for part in np.array_split(np.random.default_rng(seed).permutation(rows), rows // 32):
        assert (store.read(part)["x"][:, 0].numpy() == part // 256).all()
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def grown(rows: int) -> float:
        words = [sys.executable, "-c", _READING, str(tmp_path), str(rows)]
        return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    few, many = grown(10_000), grown(100_000)  # 15 and 154 MB
    assert abs(few) < 20 and abs(many) < 20
