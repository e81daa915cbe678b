"""Whether the weights of a model are dealt out among processes."""

from __future__ import annotations

from torch import nn
from torch.distributed.tensor import DTensor
from transformers import TrainingArguments

__all__ = ["is_sharded"]


def is_sharded(args: TrainingArguments, model: nn.Module) -> bool:
    """Tell whether no process holds all weights as they are."""
    dealt_out = args.deepspeed_plugin is not None or bool(args.fsdp)
    return dealt_out or any(isinstance(each, DTensor) for each in model.parameters())
