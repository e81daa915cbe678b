"""Tiny random models of six architectures, and what an adapter must leave of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ConvNextConfig,
    ConvNextForImageClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from hf_transfer_plugin.checkpoints import _initialize_like_timm
from tests.callbacks.tiny import efficientnet, examples, resnet, vit

__all__ = ["ARCHITECTURES", "batch_of", "logits_of"]

# Room for virtual tokens in front of the texts.
_TEXTS = {"vocab_size": 40, "max_position_embeddings": 32, "num_labels": 2}


def _bert() -> nn.Module:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return BertForSequenceClassification(BertConfig(intermediate_size=32, **sizes, **_TEXTS))


def _distilbert() -> nn.Module:
    torch.manual_seed(0)
    sizes = {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2}
    return DistilBertForSequenceClassification(DistilBertConfig(**sizes, **_TEXTS))


def _convnext() -> nn.Module:
    torch.manual_seed(0)
    config = ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=2)
    return ConvNextForImageClassification(config)


def _efficientnet() -> nn.Module:
    model = efficientnet()
    torch.manual_seed(0)
    _initialize_like_timm(model)
    return model


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "bert": _bert,
    "distilbert": _distilbert,
    "vit": vit,
    "convnext": _convnext,
    "resnet": resnet,
    "efficientnet": _efficientnet,
}


def batch_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return 8 labelled examples that the model takes."""
    rows = examples(model)[:8]
    return {key: torch.stack([torch.as_tensor(row[key]) for row in rows]) for key in rows[0]}


def logits_of(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return what the model answers in evaluation: [examples, classes]."""
    model.eval()
    with torch.no_grad():
        logits: torch.Tensor = model(**batch).logits
    return logits
