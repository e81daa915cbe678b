"""Thin TrainerCallbacks over the pure functions of the package."""

from __future__ import annotations

from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
from hf_transfer_plugin.callbacks.weight_average import WeightAverageCallback

__all__ = [
    "FreezingCallback",
    "NegativeTransferCallback",
    "ObjectiveCallback",
    "WeightAverageCallback",
]
