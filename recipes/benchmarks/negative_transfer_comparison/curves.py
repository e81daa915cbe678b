"""What the callback saw of a training, as a line of a results file holds it."""

from __future__ import annotations

from collections.abc import Sequence

from hf_transfer_plugin import NegativeTransferCallback
from hf_transfer_plugin.decide.alarm_rules import Evaluated

__all__ = ["curve_of", "evaluated"]

#: Fields of `Evaluated` that are kept, in this order.
_KEPT = ("step", "value", "loss", "share", "entropy", "label_share", "label_entropy")
_DIGITS = 4


def curve_of(watch: NegativeTransferCallback) -> list[list[float]]:
    """Return its evaluations after a training, first to last."""
    history = watch.progress["history"]
    return [[round(each[name], _DIGITS) for name in _KEPT] for each in history]


def evaluated(curve: Sequence[Sequence[float]]) -> list[Evaluated]:
    """Return the evaluations of a line."""
    return [Evaluated.from_json(dict(zip(_KEPT, each, strict=True))) for each in curve]
