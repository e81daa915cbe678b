"""Checks, on a small batch, that a model which skips its prefix does what the whole model does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from hf_transfer_plugin.prefix.cut import Cut, Tap, capture, feeding
from hf_transfer_plugin.prefix.probes import Batch, Probe, Probes, trial, without_padding
from hf_transfer_plugin.prefix.unit_calls import Call, LayerUnits, is_tensor

__all__ = ["Expected", "is_close", "is_large_row", "light", "verify"]

# Relative to the largest value.
_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
_LARGE = 4096


@dataclass(frozen=True)
class Expected:
    """What the whole model did.

    Attributes:
        calls: on the first probe, in training.
        outputs: likewise.
        others: calls on the second probe, in evaluation.
        quiet: outputs likewise.
        seed: of the random numbers of the first pass.
        gradients: of the weights that train, on the first probe; None when they do not matter.
    """

    calls: Sequence[Call]
    outputs: Any
    others: Sequence[Call]
    quiet: Any
    seed: int
    gradients: tuple[Any, ...] | None = None

    def with_gradients(self, model: nn.Module) -> Expected:
        """Return the same with the gradients of the weights that train."""
        return replace(self, gradients=_gradients(self.outputs, model))


def is_close(one: Any, two: Any, loose: float = 1.0) -> bool:
    """Tell whether two leaves are equal but for rounding."""
    if not (is_tensor(one) and is_tensor(two)):
        return not (is_tensor(one) or is_tensor(two))
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    tolerance = _TOLERANCE.get(one.dtype)
    if tolerance is None:
        return torch.equal(one, two)
    one, two = one.detach().double(), two.detach().double()
    if torch.equal(one, two):
        return True
    finite = two[two.isfinite()].abs()
    # The lowest number of a type stands for minus infinity in masks.
    scale = float(finite[finite < 1e30].max()) if (finite < 1e30).any() else 1.0
    return torch.allclose(one, two, rtol=0.0, atol=loose * tolerance * scale, equal_nan=True)


def verify(
    units: LayerUnits,
    cut: Cut,
    probes: Probes,
    run: Callable[[Batch], Any],
    expected: Expected,
) -> str | None:
    """Return why the cut is not exact; None when it is.

    In training: outputs and gradients on the first probe. In evaluation: outputs on the second
    one, from rows without padding and without large inputs. Each row must give the same alone.
    """
    device = next(units.model.parameters()).device
    with torch.no_grad(), trial(units.model, training=False):
        alone = capture(units, cut.taps, lambda: run(probes.alone.batch))
    for tap in cut.taps:
        kept = _of_last_row(tap, _value(expected.calls, tap), probes.first, probes.left)
        # Convolutions add up a row alone in another order; the deepest networks make much of it.
        if not is_close(_of_last_row(tap, alone[tap], probes.alone, probes.left), kept, loose=3):
            return (
                f"what the frozen layers give a row to {cut.boundary} depends on the other rows "
                "of its batch, on its padding or on training mode (dropout between the layers, "
                "batch normalization by the batch)"
            )
    values = {tap: _value(expected.calls, tap).clone() for tap in cut.taps}
    with (
        trial(units.model, training=True, seed=expected.seed),
        feeding(units, cut, values, probes.first.size, device),
    ):
        outputs = run(probes.first.batch)
    differs = _differs(outputs, expected.outputs, units.model)
    if differs:
        return (
            f"{differs} differ in training when the frozen layers before {cut.boundary} are skipped"
        )
    if expected.gradients is not None and not _equal(
        _gradients(outputs, units.model), expected.gradients
    ):
        return f"gradients differ when what comes before {cut.boundary} is skipped"
    values = {
        tap: without_padding(value, tap.shape.of_row() or (), probes.second, left=probes.left)
        for tap, value in ((tap, _value(expected.others, tap)) for tap in cut.taps)
    }
    with (
        torch.no_grad(),
        trial(units.model, training=False),
        feeding(units, cut, values, probes.second.size, device),
    ):
        outputs = run(light(probes.second.batch))
    differs = _differs(outputs, expected.quiet, units.model, probes)
    if differs:
        return f"{differs} differ when what comes before {cut.boundary} is skipped"
    return None


def light(batch: Batch) -> Batch:
    """Return a batch whose large inputs, such as pixels, are stand-ins that take no memory."""
    return {name: _stand_in(value) if _is_large(value) else value for name, value in batch.items()}


def _is_large(value: Any) -> bool:
    """Tell whether an input is one that only the first layers read."""
    return is_tensor(value) and is_large_row(value.dtype, value.shape[1:])


def is_large_row(dtype: torch.dtype, shape: Sequence[int]) -> bool:
    """Tell it from the type and the shape of a row."""
    return dtype.is_floating_point and math.prod(shape) * dtype.itemsize > _LARGE


def _stand_in(value: torch.Tensor) -> torch.Tensor:
    return torch.zeros((), dtype=value.dtype, device=value.device).expand(value.shape)


def _value(calls: Sequence[Call], tap: Tap) -> torch.Tensor:
    call = calls[tap.call]
    value: torch.Tensor = (call.given if tap.side == "given" else call.returned)[tap.leaf]
    return value


def _of_last_row(tap: Tap, value: torch.Tensor, probe: Probe, left: bool) -> torch.Tensor:
    """Return the last row of a batch, without its padding."""
    row = value[-1]
    if probe.lengths is not None:
        length, shape = probe.lengths[-1], tap.shape.of_row() or ()
        cells = slice(probe.size.length - length, None) if left else slice(0, length)
        row = row[tuple(cells if size is None else slice(None) for size in shape)]
    return row


def _named(outputs: Any, model: Any) -> dict[str, torch.Tensor]:
    ignored = getattr(getattr(model, "config", None), "keys_to_ignore_at_inference", None) or []
    if isinstance(outputs, Mapping):
        outputs = {name: value for name, value in outputs.items() if name not in ignored}
    flat = pytree.tree_flatten_with_path(outputs)[0]
    return {
        pytree.keystr(path): leaf
        for path, leaf in flat
        if is_tensor(leaf) and leaf.is_floating_point()
    }


def _differs(outputs: Any, expected: Any, model: Any, probes: Probes | None = None) -> str:
    ours, theirs = _named(outputs, model), _named(expected, model)
    if ours.keys() != theirs.keys():
        return "the names of the outputs"
    for name, value in theirs.items():
        one, two = ours[name], value
        if probes is not None and probes.second.lengths is not None:
            one, two = (_unpadded(each, probes.second, probes.left) for each in (one, two))
        if not is_close(one, two):
            return f"the outputs {name.strip(chr(39) + '[].')}"
    return ""


def _unpadded(value: torch.Tensor, probe: Probe, left: bool) -> torch.Tensor:
    length = probe.size.length
    if value.ndim < 2 or value.shape[:2] != (probe.size.rows, length):
        return value
    shape = (None, *value.shape[2:])
    return without_padding(value, shape, probe, left=left)


def _gradients(outputs: Any, model: nn.Module) -> tuple[Any, ...]:
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.autograd.grad(_scalar(outputs, model), weights, allow_unused=True)


def _equal(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    return all(is_close(a, b, loose=10) for a, b in zip(ours, theirs, strict=True))


def _scalar(outputs: Any, model: Any) -> torch.Tensor:
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else None
    if isinstance(loss, torch.Tensor):
        return loss.sum()
    parts = [v.float().square().mean() for v in _named(outputs, model).values() if v.requires_grad]
    return torch.stack(parts).sum()
