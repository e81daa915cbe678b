"""The least that a staged schedule pays above the frozen layers: a loop without any Trainer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from measured.process import peak_mib
from schedule_comparison.job import CLIP_NORM, Job
from torch import Tensor, nn

from hf_transfer_plugin.layers import layer_groups
from prefix_comparison.bench import Bench

__all__ = ["train_above"]

# A boundary: the first module that trains, and what goes from its input to the logits.
_Boundary = tuple[nn.Module, Callable[..., Tensor]]


def train_above(bench: Bench) -> dict[str, Any]:
    """Train the layers above each boundary on inputs that already lie in memory.

    The inputs are those of the first epoch's batches; each epoch of a phase uses them again.

    Raises:
        RuntimeError: when these layers do not give the model's own logits.
    """
    job = bench.job()
    groups = layer_groups(job.model)
    steps = -(-len(job.train) // job.run.batch_size)
    total = steps * job.run.epochs
    seconds = []
    states = job.schedule.states(total, steps_per_epoch=steps)
    for state, boundary in zip(states, _boundaries(job.model, bench.images), strict=True):
        weights = job.weights(tuple(state.resolve(groups)))
        inputs = _inputs(job, boundary)
        rate = job.run.learning_rate * state.settings.rate
        repeats = -(-(state.end - state.start) // steps)
        seconds.append(_seconds(job.model, weights, rate, boundary[1], inputs, repeats))
    return {
        "seconds": sum(seconds),
        "peak_mib": peak_mib(),
        "phase_seconds": seconds,
        "steps": total,
    }


def _boundaries(model: Any, images: bool) -> tuple[_Boundary, ...]:
    if images:
        return _image_boundaries(model.timm_model)
    layers = model.bert.encoder.layer

    def above(first: int) -> _Boundary:
        def run(hidden: Tensor, *more: Any, **named: Any) -> Tensor:
            for layer in layers[first:]:
                output = layer(hidden, *more, **named)
                hidden = output[0] if isinstance(output, tuple) else output
            logits: Tensor = model.classifier(model.dropout(model.bert.pooler(hidden)))
            return logits

        return layers[first], run

    def head(pooled: Tensor) -> Tensor:
        logits: Tensor = model.classifier(model.dropout(pooled))
        return logits

    return (model.dropout, head), above(len(layers) - 1), above(len(layers) - 2)


def _image_boundaries(network: Any) -> tuple[_Boundary, ...]:
    def above(first: int) -> _Boundary:
        def run(hidden: Tensor) -> Tensor:
            for stage in network.blocks[first:]:
                hidden = stage(hidden)
            logits: Tensor = network.forward_head(network.bn2(network.conv_head(hidden)))
            return logits

        return network.blocks[first], run

    return (network.classifier, network.classifier), above(6), above(5)


def _inputs(job: Job, boundary: _Boundary) -> list[tuple[Any, ...]]:
    """Return (arguments, named arguments, labels) at a boundary for each batch of an epoch."""
    found: list[tuple[Any, ...]] = []
    first, above = boundary

    def keep(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        found.append((args, kwargs))

    job.model.eval()
    hook = first.register_forward_pre_hook(keep, with_kwargs=True)
    with torch.no_grad():
        for index, batch in enumerate(job.loader()):
            labels = batch.pop("labels")
            logits = job.model(**batch).logits
            args, kwargs = found[index]
            if index == 0:
                hook.remove()
                difference = float((above(*args, **kwargs) - logits).abs().max())
                hook = first.register_forward_pre_hook(keep, with_kwargs=True)
                if difference > 1e-4:
                    raise RuntimeError(f"the layers above give other logits: {difference:g}")
            found[index] = (args, kwargs, labels)
    hook.remove()
    return found


def _seconds(
    model: Any,
    weights: Sequence[nn.Parameter],
    rate: float,
    above: Callable[..., Tensor],
    inputs: Sequence[tuple[Any, ...]],
    epochs: int,
) -> float:
    model.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    model.train()
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0, fused=True)
    began = time.perf_counter()
    for _ in range(epochs):
        for args, kwargs, labels in inputs:
            loss = nn.functional.cross_entropy(above(*args, **kwargs), labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
            optimizer.step()
            optimizer.zero_grad()
    return time.perf_counter() - began
