"""BatchNorm under adapters: while its weights are frozen, its running statistics rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["follow_mode_again", "rest_with_weights", "without_rest"]


def rest_with_weights(model: nn.Module) -> None:
    """Let each BatchNorm normalise by its running statistics while its own weights are frozen.

    An adapter holds no running statistics: those that moved would be missing when it is loaded.
    A BatchNorm whose weights train (of the head, or thawed by a schedule) follows the mode of
    the model.
    """
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            part.register_forward_pre_hook(_rest)


def follow_mode_again(model: nn.Module) -> None:
    """Take back what `rest_with_weights` did."""
    for part in model.modules():
        for key, hook in list(part._forward_pre_hooks.items()):
            if hook is _rest:
                del part._forward_pre_hooks[key]


@contextmanager
def without_rest(model: nn.Module) -> Iterator[None]:
    """Let each BatchNorm follow its own mode for a while."""
    resting = [part for part in model.modules() if _rest in part._forward_pre_hooks.values()]
    follow_mode_again(model)
    try:
        yield
    finally:
        for part in resting:
            part.register_forward_pre_hook(_rest)


def _rest(part: nn.Module, _: Any) -> None:
    if part.training and not any(weight.requires_grad for weight in part.parameters(recurse=False)):
        part.eval()
