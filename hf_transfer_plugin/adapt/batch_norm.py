"""Adaptive batch normalization: the running statistics of a network become those of the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hf_transfer_plugin.adapt.resting_norms import without_rest
from hf_transfer_plugin.errors import ConfigError, DataError

__all__ = ["adapt_batch_norm", "norms_to_adapt"]

_LABELS = ("labels", "label", "label_ids")


def adapt_batch_norm(
    model: nn.Module,
    rows: Any,
    collate: Callable[[list[Any]], Mapping[str, Any]] | None = None,
    *,
    batch_size: int = 64,
) -> int:
    """Estimate the statistics of every BatchNorm anew, on rows of the target; no weight changes.

    Mean and variance of each channel become the means over batches of those of a batch, as in
    `torch.optim.swa_utils.update_bn`; larger batches come nearer to those of all rows. In each
    pass a BatchNorm normalises by its batch, dropout is off, and labels are not read. The model
    keeps its modes.

    Args:
        model: was trained on the source; stays on its device. One with an adapter of peft is to be
            stored merged: an adapter holds no statistics.
        rows: a DataLoader or other iterable of batches; with `collate`, rows with a length.
        collate: list of rows -> batch of tensors.
        batch_size: rows of a batch, with `collate`. A last one of a single row is left out.

    Returns:
        How many BatchNorms were adapted.

    Raises:
        ConfigError: for a model without BatchNorm that keeps running statistics.
        DataError: when there are no batches.

    References:
        Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation" (2016).

    Example:
        >>> adapt_batch_norm(model, prepared.splits["train"], prepared.collate)
        49
    """
    norms = norms_to_adapt(model)
    batches = rows if collate is None else _batches(rows, collate, batch_size)
    device = next(model.parameters()).device
    seen = 0
    with torch.no_grad(), without_rest(model), _estimating(model, norms):
        for batch in batches:
            inputs = {name: value for name, value in batch.items() if name not in _LABELS}
            placed = {n: v.to(device) if torch.is_tensor(v) else v for n, v in inputs.items()}
            if not seen:
                for norm in norms:
                    norm.reset_running_stats()
            model(**placed)
            seen += 1
    if not seen:
        raise DataError(
            arrived="no batches of target rows",
            expected="two rows of the target or more",
            action="check the file or the filter that gave the target",
        )
    return len(norms)


def norms_to_adapt(model: nn.Module) -> list[_BatchNorm]:
    """Return each BatchNorm that keeps running statistics.

    Raises:
        ConfigError: for a model that has none.
    """
    norms = [
        part
        for part in model.modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]
    if not norms:
        raise ConfigError(
            arrived=f"{type(model).__name__}, a model without BatchNorm",
            expected="a network of convolutions with BatchNorm, such as ResNet or EfficientNet",
            action="choose an objective of adaptation, such as coral, which any network takes",
        )
    return norms


@contextmanager
def _estimating(model: nn.Module, norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Let each BatchNorm average over all batches alike, all else in evaluation mode."""
    modes = [(part, part.training) for part in model.modules()]
    momenta = [norm.momentum for norm in norms]
    try:
        for part, _ in modes:
            part.training = False
        for norm in norms:
            norm.training, norm.momentum = True, None
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for part, mode in modes:
            part.training = mode


def _batches(
    rows: Any, collate: Callable[[list[Any]], Mapping[str, Any]], batch_size: int
) -> Iterable[Mapping[str, Any]]:
    for first in range(0, len(rows), batch_size):
        numbers = range(first, min(first + batch_size, len(rows)))
        if len(numbers) > 1:
            yield collate([rows[number] for number in numbers])
