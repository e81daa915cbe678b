"""What a model of transformers returns: an object with names, or a plain tuple."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

__all__ = ["part_of"]

_AXES = {"loss": 0, "logits": 2}


def part_of(outputs: Any, name: Literal["loss", "logits"]) -> torch.Tensor | None:
    """Return the loss or the logits of what a model returned; None: there are none.

    Args:
        outputs: of a forward pass. In a tuple, the loss is its first tensor without axes and the
            logits are its first of [examples, classes].
        name: of the part.
    """
    import torch

    if isinstance(outputs, tuple):
        axes = _AXES[name]
        return next((o for o in outputs if torch.is_tensor(o) and o.ndim == axes), None)
    found = outputs.get(name) if isinstance(outputs, Mapping) else getattr(outputs, name, None)
    return found if torch.is_tensor(found) else None
