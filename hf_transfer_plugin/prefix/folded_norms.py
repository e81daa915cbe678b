"""Convolutions that do the work of the batch normalization behind them, while a cache is filled.

In evaluation a batch normalization is a scale and a shift for each channel, which the convolution
before it can take into its weights (Jacob et al. 2018): one pass over the feature map less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from hf_transfer_plugin.layer_wrappers import loaded

__all__ = ["folded_norms"]

Pairs = dict[nn.Conv2d, nn.BatchNorm2d]


@contextmanager
def folded_norms(modules: Iterable[nn.Module], run: Callable[[], Any]) -> Iterator[None]:
    """Fold the normalizations in some modules into the convolutions before them.

    Args:
        modules: that run in evaluation.
        run: a forward pass, which shows what follows what.
    """
    pairs = _pairs(modules, run)
    undo: list[Callable[[], None]] = []
    try:
        for conv, norm in pairs.items():
            undo.append(_fold(conv, norm))
        yield
    finally:
        for each in undo:
            each()


def _pairs(modules: Iterable[nn.Module], run: Callable[[], Any]) -> Pairs:
    """Return the convolutions whose output a batch normalization reads, and nothing else calls."""
    parts = {part for module in modules for part in module.modules()}
    made: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    followed: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after(module: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if isinstance(module, nn.Conv2d):
            # The tensor is kept, so that no other one gets its place.
            made[id(result)] = (module, result)
        elif isinstance(module, nn.BatchNorm2d) and args and id(args[0]) in made:
            followed.append((made[id(args[0])][0], module))

    watched = [p for p in parts if isinstance(p, nn.Conv2d) or _is_plain(p)]
    hooks = [part.register_forward_hook(after) for part in watched]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    convs = [conv for conv, _ in followed]
    norms = [norm for _, norm in followed]
    return {c: n for c, n in followed if convs.count(c) == 1 and norms.count(n) == 1}


def _is_plain(module: nn.Module) -> bool:
    kinds = (nn.BatchNorm2d, loaded("timm.layers.norm_act", "BatchNormAct2d"))
    return type(module) in kinds and module.running_var is not None


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Callable[[], None]:
    """Fold one pair; return what undoes it."""
    weight, bias = conv.weight.data, conv.bias
    parameters: dict[str, Any] = conv._parameters
    with torch.no_grad():
        assert norm.running_var is not None and norm.running_mean is not None
        scale = torch.rsqrt(norm.running_var.double() + norm.eps)
        shift = -norm.running_mean.double()
        if bias is not None:
            shift += bias.double()
        if norm.affine:
            scale *= norm.weight.double()
        shift *= scale
        if norm.affine:
            shift += norm.bias.double()
        conv.weight.data = (weight.double() * scale[:, None, None, None]).to(weight.dtype)
        parameters["bias"] = nn.Parameter(shift.to(weight.dtype), requires_grad=False)
    norm.__dict__["forward"] = _rest(norm)

    def undo() -> None:
        conv.weight.data = weight
        parameters["bias"] = bias
        del norm.__dict__["forward"]

    return undo


def _rest(norm: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what a normalization does beside normalizing: timm's activates, too."""
    if type(norm) is nn.BatchNorm2d:
        return lambda features: features
    return lambda features: norm.act(norm.drop(features))
