"""Data whose training labels say nothing of the inputs, and whose class counts stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hf_transfer_plugin.data.loading import TargetData

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["permuted_labels"]


def permuted_labels(data: TargetData, seed: int, measured: int) -> TargetData:
    """Hand the labels of train around among its rows; the same seed gives the same order.

    Args:
        data: checked data.
        seed: of the permutation.
        measured: most rows of the split "validation".

    Returns:
        "train" with its labels permuted, and "validation": rows of that train, drawn at random.
        A held-out row has no permuted label to be measured by, so what can be measured is how far
        train was learned. There is no "test".

    References:
        Zhang et al., "Understanding deep learning requires rethinking generalization" (2017):
        networks fit permuted labels, but learn nothing from them that holds for other rows.
    """
    import numpy as np
    from datasets import DatasetDict

    draw = np.random.default_rng(seed)
    train = data.splits["train"]
    order = draw.permutation(len(train))
    labels = np.asarray(data.labels("train"))[order].tolist()
    train = train.remove_columns("label").add_column("label", labels)
    rows = draw.permutation(len(train))[:measured]
    splits: DatasetDict = DatasetDict(train=train, validation=train.select(sorted(rows.tolist())))
    return replace(data, splits=splits)
