"""How a network that is fine-tuned on targets came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.records import Task

__all__ = ["CHECKPOINTS", "KINDS", "Source"]

#: Kind of data -> task.
KINDS: dict[str, Task] = {"text": "text-classification", "images": "image-classification"}
#: Kind of data -> packaged network.
CHECKPOINTS = {"text": "sample:minilm", "images": "sample:efficientnet-lite0"}


@dataclass(frozen=True)
class Source:
    """How a candidate is made.

    Attributes:
        kind: a key of KINDS.
        network: "minilm", "efficientnet" or "resnet", a tiny one.
        layers: the first layers that are kept; None for all.
        shuffled: the layers of a text network stand in another order.
        reset: layer groups whose weights are drawn anew ("*" for all).
        dataset: what it is then trained on; "" for nothing.
    """

    kind: str
    network: Literal["minilm", "efficientnet", "resnet"]
    layers: int | None = None
    shuffled: bool = False
    reset: tuple[str, ...] = ()
    dataset: str = ""
