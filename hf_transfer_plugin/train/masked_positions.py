"""Masked words alone go through a head for masked words: what it says of others enters no loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

__all__ = ["predicting_masked_alone"]

_IGNORED = -100


@contextmanager
def predicting_masked_alone(model: nn.Module) -> Iterator[None]:
    """Let the head of a model for masked words read the positions that have a label, no others.

    A vocabulary is much wider than an encoder, so predicting every position costs as much as
    encoding it, and its logits are the most memory. Of a batch with labels the model then returns
    logits [1, labelled positions, words] and the loss that it had over all: heads for masked words
    read each position by itself. Without labels nothing changes.

    Args:
        model: of `AutoModelForMaskedLM`, called with `labels=` [rows, tokens], -100 where nothing
            is predicted.
    """
    encoder = getattr(model, "base_model", model)
    labelled: list[torch.Tensor] = []

    def before(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        labelled.clear()
        if kwargs.get("labels") is None:
            return None
        labelled.append(kwargs["labels"] != _IGNORED)
        return args, kwargs | {"labels": kwargs["labels"][labelled[0]][None]}

    def encoded(_: nn.Module, args: Any, outputs: Any) -> None:
        if labelled:
            outputs["last_hidden_state"] = outputs["last_hidden_state"][labelled.pop()][None]

    if encoder is model:  # nothing lies between encoder and head where one could choose
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
