"""The weights of a checkpoint really reach the model that goes on from it.

`save_pretrained` writes some architectures (ViT among them) under older names, and Trainer loads
these files into the model name by name and not strictly: encoder weights stay as they were, when
it resumes and when it loads the best model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from hf_transfer_plugin.errors import ScheduleError

__all__ = ["check_loaded", "digest", "translate_names"]

_ELEMENTS = 16


def translate_names(model: nn.Module) -> None:
    """Let `model.load_state_dict` understand what `model.save_pretrained` writes."""
    if isinstance(model, PreTrainedModel):
        model.register_load_state_dict_pre_hook(_translate)


def _translate(module: PreTrainedModel, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    own = module.state_dict().keys()
    given = {name.removeprefix(prefix) for name in state_dict if name.startswith(prefix)}
    if not own - given or not given - own:
        return
    weights = {name: state_dict.pop(prefix + name) for name in given}
    # from_pretrained is where transformers keeps the translation.
    loaded = type(module).from_pretrained(None, config=module.config, state_dict=weights)
    state_dict.update({prefix + name: tensor for name, tensor in loaded.state_dict().items()})


def digest(tensors: Iterable[torch.Tensor]) -> str:
    """Return a short digest of the first elements of each tensor; "" for sharded ones."""
    tensors = list(tensors)
    if any(isinstance(tensor, DTensor) for tensor in tensors):
        return ""
    parts = [t.detach().flatten()[:_ELEMENTS].to(torch.float32) for t in tensors]
    whole = torch.cat(parts).cpu().numpy().tobytes() if parts else b""
    return hashlib.sha256(whole).hexdigest()[:16]


def check_loaded(stored: str, found: str, step: int) -> None:
    """Check that a model holds the weights of the checkpoint it goes on from.

    Args:
        stored: digest of the weights when the checkpoint was saved; empty when unknown.
        found: digest of the weights now.
        step: optimizer steps that the checkpoint has made.

    Raises:
        ScheduleError: when they differ.
    """
    if stored and found and stored != found:
        raise ScheduleError(
            f"the model does not hold the weights of the checkpoint of step {step}",
            "the weights that were saved: Trainer skips, with a warning, what it cannot place",
            "build the same model as before and give the callback to Trainer(callbacks=[...]), "
            "where it can translate the names of the weights; or load them with from_pretrained "
            "and start anew",
        )
