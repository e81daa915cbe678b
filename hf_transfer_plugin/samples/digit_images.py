"""Images of digits as a data set with three splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, DatasetDict

__all__ = ["digit_splits"]

_SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def digit_splits(pixels: np.ndarray, labels: np.ndarray, side: int) -> DatasetDict:
    """Return stratified splits of 60, 20 and 20 percent, always the same.

    Args:
        pixels: grey values from 0 to 255 [images, side * side].
        labels: digits [images].
        side: pixels of a side.
    """
    import numpy as np
    from datasets import DatasetDict

    rows: dict[str, list[int]] = {name: [] for name in _SHARES}
    generator = np.random.default_rng(0)
    for digit in range(10):
        members = generator.permutation(np.flatnonzero(labels == digit))
        cuts = np.round(np.cumsum(list(_SHARES.values())) * len(members)).astype(int)
        for name, chosen in zip(_SHARES, np.split(members, cuts[:-1]), strict=True):
            rows[name] += chosen.tolist()
    return DatasetDict(
        {name: _dataset(pixels[chosen], labels[chosen], side) for name, chosen in rows.items()}
    )


def _dataset(pixels: np.ndarray, labels: np.ndarray, side: int) -> Dataset:
    from datasets import ClassLabel, Dataset, Features, Image
    from PIL.Image import fromarray

    features = Features({"image": Image(), "label": ClassLabel(names=[str(d) for d in range(10)])})
    images = [fromarray(row.reshape(side, side).astype("uint8")) for row in pixels]
    return Dataset.from_dict({"image": images, "label": labels.tolist()}, features=features)
