"""Masked words alone go through a head for masked words: what it says of others enters no loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from hf_transfer_plugin.train.masked_rows import IGNORED

__all__ = ["predicting_masked_alone"]


@contextmanager
def predicting_masked_alone(model: PreTrainedModel) -> Iterator[None]:
    """Let the head of a model for masked words read the positions that have a label, no others.

    A vocabulary is much wider than an encoder, so predicting every position costs as much as
    encoding it, and its logits are the most memory. Of a batch with labels the model then returns
    logits [1, labelled positions, words] and the loss that it had over all: heads for masked words
    read each position by itself. Without labels nothing changes, nor for a model with a decoder.

    Args:
        model: of `AutoModelForMaskedLM`, called with `labels=` [rows, tokens], -100 where nothing
            is predicted.
    """
    encoder = model.base_model
    labelled: list[torch.Tensor] = []

    def before(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        labelled.clear()
        if kwargs.get("labels") is None:
            return None
        labelled.append(kwargs["labels"] != IGNORED)
        return args, kwargs | {"labels": kwargs["labels"][labelled[0]][None]}

    def encoded(_: nn.Module, args: Any, outputs: Any) -> None:
        if labelled:
            outputs["last_hidden_state"] = outputs["last_hidden_state"][labelled.pop()][None]

    if encoder is model or model.config.is_encoder_decoder:  # no place to choose; all is predicted
        yield
        return
    hooks = [
        model.register_forward_pre_hook(before, with_kwargs=True),
        encoder.register_forward_hook(encoded),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
