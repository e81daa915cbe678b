"""See a network without what wraps it: DistributedDataParallel, torch.compile, PEFT."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

__all__ = ["children", "loaded", "unwrap"]

# Library, class, attribute that holds what is wrapped.
_WHOLE_MODEL = (
    ("torch.nn.parallel", "DistributedDataParallel", "module"),
    ("torch.nn.parallel", "DataParallel", "module"),
    ("torch._dynamo.eval_frame", "OptimizedModule", "_orig_mod"),
)
_ONE_LAYER = (
    ("peft.tuners.tuners_utils", "BaseTunerLayer", "base_layer"),
    ("peft.utils.other", "AuxiliaryTrainingWrapper", "original_module"),
)


def unwrap(model: nn.Module) -> nn.Module:
    """Return the innermost model that is no wrapper around another one."""
    while True:
        inner = _inside(model, _WHOLE_MODEL)
        if isinstance(model, loaded("peft.peft_model", "PeftModel")):
            inner = model.get_base_model()
        if inner is model:
            return model
        model = inner


def children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield name and child, each child as it was before PEFT wrapped it."""
    for name, child in module.named_children():
        yield name, _inside(child, _ONE_LAYER)


def loaded(library: str, name: str) -> Any:
    """Return a class, or () (of which nothing is an instance) when its library is not imported.

    A library that nobody imported cannot have made the model, and importing it costs seconds.
    """
    return getattr(sys.modules[library], name) if library in sys.modules else ()


def _inside(module: nn.Module, kinds: Sequence[tuple[str, str, str]]) -> nn.Module:
    for library, name, attribute in kinds:
        if isinstance(module, loaded(library, name)):
            inner: nn.Module = getattr(module, attribute)
            return inner
    return module
