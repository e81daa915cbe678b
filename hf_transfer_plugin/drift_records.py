"""How far training moved the model that is kept from the pretrained one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hf_transfer_plugin.serialization import Record

__all__ = ["Drift"]


@dataclass(frozen=True)
class Drift(Record):
    """Distance of the kept model from its checkpoint, in weights and in features.

    Attributes:
        weights: layer group, input to head, the head left out -> L2 norm of the change over that
            of the pretrained weights; empty under an adapter that is kept alone, where no weight
            changes.
        whole: the same over all these groups together; None where `weights` is empty.
        similarity: debiased linear CKA of the features that the head reads and of the pretrained
            ones, 1 for the same up to rotation and scale, about 0 for unrelated ones; None where
            it cannot be computed.
        examples: validation examples that `similarity` was computed on.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    whole: float | None = None
    similarity: float | None = None
    examples: int = 0
