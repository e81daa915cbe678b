"""Thin TrainerCallbacks over the pure functions of the package."""

from __future__ import annotations

from hf_transfer_plugin.callbacks.freezing import FreezingCallback

__all__ = ["FreezingCallback"]
