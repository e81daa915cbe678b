"""Features of a ranking are computed once for the same weights and rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data, prepare
from hf_transfer_plugin.records import DataSpec
from hf_transfer_plugin.select import features
from hf_transfer_plugin.select.features import pooled_features

ROWS = tuple(range(0, 40, 2))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Count the rows of each batch that runs through the network, in a cache of its own."""
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path))
    seen: list[int] = []
    own = features._pool_texts

    def pool(model: object, inputs: dict[str, object]) -> object:
        pooled = own(model, inputs)  # type: ignore[arg-type]
        seen.append(len(pooled))
        return pooled

    monkeypatch.setattr(features, "_pool_texts", pool)
    return seen


@pytest.fixture(scope="module")
def data() -> TargetData:
    return load_data(DataSpec("sample:docstrings"), "text-classification")


def _features(data: TargetData, rows: tuple[int, ...] = ROWS, **options: object) -> np.ndarray:
    checkpoint = Checkpoint("sample:minilm")
    prepared = prepare(checkpoint, data, ("train",))
    return pooled_features(checkpoint, data, prepared, rows, **options)[0]  # type: ignore[arg-type]


def test_the_second_reading_computes_one_row(data: TargetData, counted: list[int]) -> None:
    first = _features(data)
    assert sum(counted) == len(ROWS) + 1  # one tells the width
    counted.clear()
    assert np.array_equal(_features(data), first)
    assert counted == [1]


def test_other_rows_and_other_weights_are_computed(data: TargetData, counted: list[int]) -> None:
    first = _features(data)
    for options in (
        {"rows": ROWS[1:]},
        {"weights": "random", "seed": 0},
        {"weights": "random", "seed": 1},
    ):
        counted.clear()
        found = _features(data, **options)
        assert sum(counted) == len(found) + 1, options
        assert not np.array_equal(found[-1], first[-1]) or "rows" in options


def test_without_a_folder_they_are_computed_all_the_same(
    data: TargetData, counted: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = _features(data)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "file"))
    np.testing.assert_allclose(_features(data), first, atol=1e-5)
