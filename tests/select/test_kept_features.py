"""Features of a ranking are computed once for the same weights and rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data, prepare
from hf_transfer_plugin.prefix import cache_folder
from hf_transfer_plugin.prefix.entry import EntryMeta
from hf_transfer_plugin.records import DataSpec
from hf_transfer_plugin.select import features
from hf_transfer_plugin.select.features import LayerFeatures, layer_features
from hf_transfer_plugin.select.layer_reading import LayerReader
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    write_images,
    write_text_folder,
)

ROWS = tuple(range(0, 40, 2))
PROBE = 2  # a row, read twice, tells the layers and their widths


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Count the rows of each batch that runs through the network, in a cache of its own."""
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    seen: list[int] = []
    own = features._mean_of_texts

    def pool(model: object, inputs: dict[str, object]) -> object:
        pooled = own(model, inputs)  # type: ignore[arg-type]
        seen.append(len(pooled))
        return pooled

    monkeypatch.setattr(features, "_mean_of_texts", pool)
    return seen


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TargetData:
    """Texts, and a checkpoint beside them."""
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    return load_data(DataSpec("texts"), "text-classification")


def _features(data: TargetData, rows: tuple[int, ...] = ROWS, **options: object) -> LayerFeatures:
    checkpoint = Checkpoint("./bert")
    prepared = prepare(checkpoint, data, ("train",))
    return layer_features(checkpoint, data, prepared, rows, **options)  # type: ignore[arg-type]


def test_the_second_reading_computes_no_row(data: TargetData, counted: list[int]) -> None:
    first = _features(data)
    assert sum(counted) == len(ROWS) + PROBE
    counted.clear()
    again = _features(data)
    assert counted == [PROBE]
    assert np.array_equal(again.mean, first.mean)
    assert list(again.layers) == list(first.layers) == list(first.groups)
    assert len(first.layers) > 2
    for name, table in first.layers.items():
        assert np.array_equal(again.layers[name], table), name
        assert table.shape == first.mean.shape


def test_all_layers_are_one_entry_whatever_their_widths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    spec = DataSpec(str(write_images(tmp_path / "images", 12)))
    data = load_data(spec, "image-classification")
    checkpoint = Checkpoint(str(image_checkpoint(tmp_path / "resnet")))
    prepared = prepare(checkpoint, data, ("train",))
    passes: list[int] = []
    own = features._last_of_images

    def pool(model: object, inputs: dict[str, object]) -> object:
        pooled = own(model, inputs)  # type: ignore[arg-type]
        passes.append(len(pooled))
        return pooled

    monkeypatch.setattr(features, "_last_of_images", pool)
    first = layer_features(checkpoint, data, prepared, range(10))
    again = layer_features(checkpoint, data, prepared, range(10))
    assert passes == [PROBE, 10, PROBE]
    widths = [table.shape[1] for table in first.layers.values()]
    assert len(set(widths)) > 1
    for name, table in first.layers.items():
        assert np.array_equal(again.layers[name], table), name
    (entry,) = cache_folder.entries(tmp_path / "cache")
    meta = EntryMeta.load(tmp_path / "cache" / entry.name / EntryMeta.file_name)
    assert [each.shape for each in meta.arrays] == [(first.mean.shape[1],), *((w,) for w in widths)]
    assert meta.bytes == 10 * 4 * (first.mean.shape[1] + sum(widths))


def test_a_layer_that_changes_its_width_is_not_kept(
    data: TargetData, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes and goes is left out; the rest is given all the same."""
    own = LayerReader.reading

    @contextmanager
    def unsteady(reader: LayerReader, rows: int, mask: object) -> Iterator[dict[str, Any]]:
        with own(reader, rows, mask) as found:  # type: ignore[arg-type]
            yield found
        found["layer.0"] = found["layer.0"][:, : 2 + rows]

    rows = tuple(range(40))  # a batch of 32, and one of 8
    first = _features(data, rows)
    monkeypatch.setattr(LayerReader, "reading", unsteady)
    found = _features(data, rows)
    assert [*first.layers] == ["embeddings", "layer.0", "layer.1", "neck"]
    assert [*found.layers] == ["embeddings", "layer.1", "neck"]
    np.testing.assert_allclose(found.mean, first.mean, atol=1e-5)


def test_other_rows_and_other_weights_are_computed(data: TargetData, counted: list[int]) -> None:
    first = _features(data).mean
    for options in (
        {"rows": ROWS[1:]},
        {"weights": "random", "seed": 1},
        {"weights": "random", "seed": 2},
    ):
        counted.clear()
        found = _features(data, **options).mean  # type: ignore[arg-type]
        assert sum(counted) == len(found) + PROBE, options
        assert not np.array_equal(found[-1], first[-1]) or "rows" in options


def test_without_a_folder_they_are_computed_all_the_same(
    data: TargetData, counted: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = _features(data)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "file"))
    again = _features(data)
    np.testing.assert_allclose(again.mean, first.mean, atol=1e-5)
    assert list(again.layers) == list(first.layers)
    for name, table in first.layers.items():
        np.testing.assert_allclose(again.layers[name], table, atol=1e-5)
