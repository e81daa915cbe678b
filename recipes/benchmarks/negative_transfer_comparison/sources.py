"""The sources on disk, each made once, some of them from rows that teach nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset
from PIL import Image
from tuning.networks import make
from tuning.rows import draw, read, write
from tuning.source import KINDS

from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.records import DataSpec
from negative_transfer_comparison.plan import SOURCES, Origin, network_of
from negative_transfer_comparison.settings import Settings

__all__ = ["made", "source_folder", "spec_of"]

_SEED = 1


def source_folder(name: str, settings: Settings) -> Path:
    """Return where a source lies, a plain transformers folder without a head."""
    return settings.work / f"sources-{settings.source_rows}" / network_of(name)


def made(name: str, settings: Settings) -> bool:
    """Make a source where it is missing, and tell whether it was."""
    folder = source_folder(name, settings)
    if folder.is_dir():
        return False
    source = SOURCES[name]
    data = _read(name, source, settings) if source.dataset else None
    make(source, folder, settings.image_size, data)
    return True


def spec_of(folder: Path, kind: str, settings: Settings) -> DataSpec:
    """Return how a folder of parquet files is read."""
    size = settings.image_size if kind == "images" else None
    return DataSpec(path=str(folder), max_length=settings.max_length, image_size=size)


def _read(name: str, source: Origin, settings: Settings) -> TargetData:
    folder = settings.work / f"source-rows-{settings.source_rows}" / name
    if not folder.is_dir():
        splits = {
            role: read(settings.data / source.dataset / f"{role}.parquet")
            for role in ("train", "validation", "test")
        }
        splits["train"], _ = draw(splits["train"], settings.source_rows)
        if source.change:
            splits["train"] = _CHANGES[source.change](splits["train"])
        write(splits, folder)
    return load_data(spec_of(folder, source.kind, settings), KINDS[source.kind])


def _random_labels(rows: Dataset) -> Dataset:
    names = rows.features["label"].names
    return _labelled(rows, np.random.default_rng(_SEED).integers(len(names), size=len(rows)))


def _shuffled_labels(rows: Dataset) -> Dataset:
    return _labelled(rows, np.random.default_rng(_SEED).permutation(rows["label"]))


def _labelled(rows: Dataset, labels: np.ndarray) -> Dataset:
    kind = ClassLabel(names=rows.features["label"].names)
    return rows.remove_columns("label").add_column("label", labels).cast_column("label", kind)


def _noise(rows: Dataset) -> Dataset:
    rng = np.random.default_rng(_SEED)

    def noisy(row: dict[str, Image.Image]) -> dict[str, Image.Image]:
        width, height = row["image"].size
        pixels = rng.integers(256, size=(height, width), dtype=np.uint8)
        return {"image": Image.fromarray(pixels)}

    return rows.map(noisy, features=rows.features, load_from_cache_file=False)


_CHANGES: dict[str, Callable[[Dataset], Dataset]] = {
    "random labels": _random_labels,
    "shuffled labels": _shuffled_labels,
    "noise": _noise,
}
