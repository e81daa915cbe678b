"""Modules that stay in eval mode although Trainer calls `model.train()` for every batch."""

from __future__ import annotations

from collections.abc import Iterable
from types import MethodType
from typing import Any

from torch import nn

__all__ = ["EvalPins"]

_ABSENT: Any = object()


# Named like the method it shadows: pickle stores a bound method by its name, so a pickled copy
# of a pinned module finds nn.Module.train. deepcopy rebinds it to the copied module.
def train(self: nn.Module, mode: bool = True) -> nn.Module:
    """Stand in for `nn.Module.train` on a pinned module: whatever the mode, stay in eval."""
    return type(self).train(self, False)


class EvalPins:
    """Holds modules in eval mode, so that their dropout is off and BatchNorm statistics rest.

    Setting `track_running_stats = False` would not do: BatchNorm then normalises by the batch.
    """

    def __init__(self) -> None:
        self._shadowed: dict[nn.Module, Any] = {}

    def pin(self, modules: Iterable[nn.Module]) -> None:
        """Pin exactly these modules: new ones go to eval, the others are let go."""
        wanted = dict.fromkeys(modules)
        for module in [pinned for pinned in self._shadowed if pinned not in wanted]:
            self._release(module)
        for module in wanted:
            if module not in self._shadowed:
                # Someone else may shadow the method too: what was there comes back at release.
                self._shadowed[module] = vars(module).get("train", _ABSENT)
                object.__setattr__(module, "train", MethodType(train, module))
                module.train(False)

    def release(self, mode: bool) -> None:
        """Let every module go and put it into the mode of the model around it."""
        for module in list(self._shadowed):
            self._release(module)
            module.train(mode)

    def _release(self, module: nn.Module) -> None:
        shadowed = self._shadowed.pop(module)
        if shadowed is _ABSENT:
            object.__delattr__(module, "train")
        else:
            object.__setattr__(module, "train", shadowed)
