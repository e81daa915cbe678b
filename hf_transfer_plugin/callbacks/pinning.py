"""Modules that stay in eval mode although Trainer calls `model.train()` for every batch."""

from __future__ import annotations

from collections.abc import Iterable
from types import MethodType
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["MODES", "Pins"]

#: What normalization layers with running statistics do while they are frozen.
MODES = ("eval", "keep", "train")
_ABSENT: Any = object()
_PARTS = "_pinned_parts"


# Named like the method it shadows: pickle stores a bound method by its name, so a pickled copy
# of a pinned module finds nn.Module.train. deepcopy rebinds it to the copied module.
def train(self: nn.Module, mode: bool = True) -> nn.Module:
    """Stand in for `nn.Module.train` on a pinned module: whatever the mode, stay in eval."""
    # Trainer calls this for every batch: no walk through the modules, no write without need.
    for part in self.__dict__[_PARTS]:
        if isinstance(part, _BatchNorm) and part is not self:
            # Each has its own pin, or none and then follows the mode.
            part.train(mode)
        elif part.training:
            part.training = False
    return self


class Pins:
    """Holds the modules of frozen layers still.

    Setting `track_running_stats = False` would not do for BatchNorm: it then normalises by the
    batch in evaluation too.

    Args:
        normalization: what BatchNorm does: "eval" normalises by its running statistics, which
            rest; "keep" normalises by the batch, and the statistics rest; "train" normalises by
            the batch and moves its statistics.
        dropout: leave the dropout of frozen layers on.
    """

    def __init__(self, normalization: str, dropout: bool) -> None:
        self._normalization, self._dropout = normalization, dropout
        self._shadowed: dict[nn.Module, Any] = {}
        self._kept: dict[_BatchNorm, tuple[Any, Any]] = {}

    def pin(self, modules: Iterable[nn.Module]) -> None:
        """Hold exactly these modules, with all within them, and let the others go."""
        outermost = dict.fromkeys(modules)
        norms = [p for m in outermost for p in m.modules() if isinstance(p, _BatchNorm)]
        wanted = {} if self._dropout else {m: None for m in outermost if m not in norms}
        if self._normalization == "eval":
            wanted |= dict.fromkeys(norms)
        self._shadow(wanted)
        self._keep(norms if self._normalization == "keep" else [])

    def release(self, mode: bool) -> None:
        """Let every module go and put it into the mode of the model around it."""
        for module in list(self._shadowed):
            self._unshadow(module)
            module.train(mode)
        self._keep([])

    def _shadow(self, wanted: Iterable[nn.Module]) -> None:
        wanted = dict.fromkeys(wanted)
        for module in [pinned for pinned in self._shadowed if pinned not in wanted]:
            self._unshadow(module)
        for module in wanted:
            if module not in self._shadowed and _PARTS not in vars(module):
                # Someone else may shadow the method too: what was there comes back at release.
                self._shadowed[module] = vars(module).get("train", _ABSENT)
                object.__setattr__(module, _PARTS, tuple(module.modules()))
                object.__setattr__(module, "train", MethodType(train, module))
                module.train(module.training)

    def _unshadow(self, module: nn.Module) -> None:
        shadowed = self._shadowed.pop(module)
        object.__delattr__(module, _PARTS)
        if shadowed is _ABSENT:
            object.__delattr__(module, "train")
        else:
            object.__setattr__(module, "train", shadowed)

    def _keep(self, norms: Iterable[_BatchNorm]) -> None:
        wanted = dict.fromkeys(norms)
        for norm in [kept for kept in self._kept if kept not in wanted]:
            norm.momentum, handle = self._kept.pop(norm)
            handle.remove()
        for norm in wanted:
            if norm not in self._kept:
                self._kept[norm] = (norm.momentum, norm.register_forward_hook(_uncount))
                norm.momentum = 0.0


def _uncount(module: nn.Module, _: Any, __: Any) -> None:
    """Take back the step that BatchNorm counted although its statistics rest."""
    counted = getattr(module, "num_batches_tracked", None)
    if module.training and counted is not None:
        counted.sub_(1)
