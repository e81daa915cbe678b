"""Thin TrainerCallbacks over the pure functions of the package."""

from __future__ import annotations

from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback

__all__ = ["FreezingCallback", "NegativeTransferCallback"]
