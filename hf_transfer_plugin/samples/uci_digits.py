"""1,797 digits drawn with a pen on a tablet (Alpaydin and Kaynak 1998), as scikit-learn has them.

8 x 8 grey pixels: with `sample:mnist`, which was scanned from paper, two domains of one task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.samples.digit_images import digit_splits

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["load"]

_DARKEST = 16


def load() -> DatasetDict:
    """Return stratified splits of about 1,080 / 360 / 360 images, always the same."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return digit_splits(pixels * (255 / _DARKEST), labels, side=8)
