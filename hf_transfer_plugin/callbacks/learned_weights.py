"""What a training changes in a model: read as tensors by name, and put back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from accelerate.utils import broadcast
from torch import nn
from torch.optim import Optimizer

from hf_transfer_plugin.processes import world_size

__all__ = ["copied", "learned_weights", "put_weights"]


def learned_weights(model: nn.Module, optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """Return what the optimizer steps, and the buffers that are saved: the tensors themselves.

    Args:
        model: the model that trains, not wrapped.
        optimizer: the optimizer of torch.
    """
    stepped = {id(each) for group in optimizer.param_groups for each in group["params"]}
    named = model.named_parameters(remove_duplicate=False)
    rest = {name for name, parameter in named if id(parameter) not in stepped}
    return {name: each for name, each in model.state_dict().items() if name not in rest}


def copied(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return copies on the CPU, in every process those of the first.

    DistributedDataParallel lets the running statistics of each process go their own way between
    two steps; the first process is the one that saves.
    """
    several = world_size() > 1
    found = {}
    for name, tensor in weights.items():
        own = tensor.detach().clone(memory_format=torch.contiguous_format)
        found[name] = (broadcast(own) if several else own).cpu()
    return found


@torch.no_grad()
def put_weights(model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Copy tensors into the model, by the names of its `state_dict`."""
    held = model.state_dict()
    for name, tensor in weights.items():
        held[name].copy_(tensor)
