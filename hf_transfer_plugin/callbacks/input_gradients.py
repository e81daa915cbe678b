"""Activation checkpointing below trained layers, without computing frozen layers twice."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel, TrainingArguments

from hf_transfer_plugin.run_settings import is_reentrant

__all__ = ["without_input_gradients"]


def without_input_gradients(model: nn.Module, args: TrainingArguments) -> list[PreTrainedModel]:
    """Take away the gradients of the embeddings' output that transformers asks for.

    It does so for reentrant checkpointing, which passes none otherwise. Without reentrance (the
    default) they only make each frozen layer run forward a second time and backward.

    Returns:
        models whose `enable_input_require_grads()` undoes it.
    """
    if is_reentrant(args):
        return []
    asked = [
        module
        for module in model.modules()
        if isinstance(module, PreTrainedModel) and getattr(module, "_require_grads_hooks", None)
    ]
    for module in asked:
        module.disable_input_require_grads()
    return asked
