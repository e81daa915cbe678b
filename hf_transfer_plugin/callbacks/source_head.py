"""The head that a checkpoint came with, beside the new one of a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import nn

from hf_transfer_plugin.adapt.objectives.loss_term import Read
from hf_transfer_plugin.callbacks.objective_reading import weighted_parts
from hf_transfer_plugin.checkpoints import without_bars
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import layer_groups

__all__ = ["SourceHead", "source_head"]


class SourceHead:
    """A frozen head: what the head of the model reads -> logits of the source classes.

    Args:
        head: of the source.
    """

    def __init__(self, head: nn.Module) -> None:
        self._head = head.eval().requires_grad_(False)

    def to(self, device: torch.device) -> Self:
        """Bring it to a device."""
        self._head.to(device)
        return self

    def __call__(self, read: Read) -> torch.Tensor:
        """Return [examples, source classes] in float32."""
        if read.head_inputs is None:
            raise RuntimeError("the head of the model was not called")
        args, kwargs = read.head_inputs
        width = next(self._head.parameters()).dtype
        args = tuple(a.to(width) if torch.is_tensor(a) else a for a in args)
        logits: torch.Tensor = self._head(*args, **kwargs)
        return logits.float()


def source_head(model: Any, objective: str) -> SourceHead:
    """Load the head of the checkpoint that a model was built from.

    Args:
        model: as `from_pretrained` returned it, with or without adapters.
        objective: that asks for it.

    Raises:
        ConfigError: when the checkpoint has none, or one of several modules.
    """
    network = model.get_base_model() if hasattr(model, "peft_config") else model
    name = getattr(getattr(network, "config", None), "_name_or_path", "")
    if not name:
        raise _refused(objective, f"{type(network).__name__} that no checkpoint was loaded into")
    commit = getattr(network.config, "_commit_hash", None)
    with without_bars(), _quiet():
        source, found = type(network).from_pretrained(
            name, output_loading_info=True, use_safetensors=True, revision=commit or "main"
        )
    head = layer_groups(source).head
    if head is None or set(head.parameter_names) & set(found["missing_keys"]):
        raise _refused(objective, f"{name}, a checkpoint without a head of its own")
    parts = weighted_parts(source)
    if len(parts) != 1:
        raise _refused(objective, f"{name}, whose head is made of {', '.join(parts)}")
    return SourceHead(*parts.values())


def _refused(objective: str, arrived: str) -> ConfigError:
    return ConfigError(
        arrived=f"objective {objective} on {arrived}",
        expected="a checkpoint that was trained to tell classes, with its head of one module",
        action="choose such a checkpoint, or another objective",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the report of weights that are missing: the error says it."""
    logger = logging.getLogger("transformers.modeling_utils")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
