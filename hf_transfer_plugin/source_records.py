"""What a source network was made from, kept beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hf_transfer_plugin.serialization import Record

__all__ = ["PermutedSource"]


@dataclass(frozen=True)
class PermutedSource(Record):
    """A network that was trained on a source with permuted labels.

    Attributes:
        request: digest of source, architecture and budget; another one is another network.
        data: path of the source.
        class_names: classes of the source, in label order.
        counts: rows of train of each class, the same before and after the permutation.
        moved: share of these rows whose label is another one than before, in [0, 1].
        losses: learning rate -> mean cross-entropy on permuted rows of train at the end, in nats.
        learning_rate: the one with the lowest loss, whose weights are kept.
    """

    file_name = "permuted_source.json"

    request: str
    data: str
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    moved: float
    losses: Mapping[str, float]
    learning_rate: float
