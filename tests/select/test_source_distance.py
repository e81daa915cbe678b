"""How far a source lies from the target, of tiny texts and images whose distance is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_transfer_plugin import DataSpec
from hf_transfer_plugin.errors import CheckpointError, DataError
from hf_transfer_plugin.select.source_distance import SourceDistance, source_distance
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_images,
    write_text_folder,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    text_checkpoint(tmp_path / "bert")
    write_text_folder(tmp_path / "films")
    return tmp_path


def _texts(folder: Path, name: str, *, tail: str = "", classes: tuple[str, ...] = ()) -> str:
    """Write texts with numbers that no other folder has, and words behind each."""
    splits = {}
    for split, (rows, start) in {
        "train": (20, 100),
        "validation": (5, 200),
        "test": (5, 300),
    }.items():
        columns = texts(rows, start=start, **({"classes": classes} if classes else {}))
        columns["text"] = [text + tail for text in columns["text"]]
        splits[split] = columns
    write_text_folder(folder / name, **splits)
    return name


def _distance(target: str, **options: object) -> SourceDistance:
    options = {"task": "text-classification", **options}
    return source_distance("./bert", "films", target, **options)  # type: ignore[arg-type]


def test_data_of_one_kind_are_near(folder: Path) -> None:
    found = _distance(_texts(folder, "more"))
    assert (found.source, found.target, found.examples) == ("films", "more", 40)
    assert found.a_distance <= 0.4
    assert found.discrepancy.p_value > 0.05
    assert "nothing tells source and target apart" in found.findings[0]
    assert found.source_error == 0.0
    assert found.bound is not None
    assert found.bound.total == pytest.approx(found.a_distance / 2)
    assert [each.name for each in found.layers][:2] == ["embeddings", "layer.0"]
    assert all(each.own_target == pytest.approx(each.own_source, abs=0.02) for each in found.layers)
    assert "in every layer" in found.findings[2]
    last = found.layers[-1]
    assert last.last_source == last.last_target == pytest.approx(1.0)


def test_data_of_another_kind_are_far(folder: Path) -> None:
    found = _distance(_texts(folder, "long", tail=" film film film film"))
    assert found.a_distance == 2.0
    assert all(each.a_distance > 1.9 for each in found.layers)
    assert found.discrepancy.p_value < 0.01
    assert found.bound is not None
    assert found.bound.total == 1.0
    assert "in 100 % of held-out rows" in found.findings[0]
    assert "no better than guessing" in found.findings[1]
    assert any(each.name in found.findings[2] for each in found.layers)


def test_other_classes_have_no_bound(folder: Path) -> None:
    found = _distance(_texts(folder, "other", classes=("cold", "warm")))
    assert found.bound is None
    assert "other classes" in found.findings[1]


def test_labels_of_the_target_are_not_read(folder: Path) -> None:
    """Targets that differ in their labels alone are as far."""
    _texts(folder, "one")
    swapped = texts(20, start=100)
    swapped["label"] = swapped["label"][::-1]
    write_text_folder(folder / "swapped", train=swapped)
    one, other = (_distance(name) for name in ("one", "swapped"))
    assert (one.a_distance, one.discrepancy) == (other.a_distance, other.discrepancy)
    assert (one.bound, one.layers) == (other.bound, other.layers)


def test_images(folder: Path) -> None:
    image_checkpoint(folder / "resnet")
    write_images(folder / "grey", per_class=20)
    write_images(folder / "few", per_class=16)
    found = source_distance(
        "./resnet", DataSpec("grey"), "few", task="image-classification", seed=1
    )
    assert found.examples == 23  # train of the smaller one
    assert len(found.layers) >= 3
    assert 0.0 <= found.a_distance <= 2.0


def test_what_cannot_be_compared(folder: Path) -> None:
    with pytest.raises(DataError, match="at least 20 rows"):
        _distance("films", examples=5)
    with pytest.raises(CheckpointError):
        source_distance("./gone", "films", "films", task="text-classification")
    with pytest.raises(DataError):
        _distance("nowhere")
