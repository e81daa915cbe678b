"""The one schedule of a run, and what of it every tool has to follow."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hf_transfer_plugin import FreezingSchedule, Phase
from hf_transfer_plugin.layers import layer_groups

__all__ = ["DECAY", "Thaw", "freezing_schedule", "thaws"]

#: From layer to layer, as in ULMFiT.
DECAY = 1 / 2.6


@dataclass(frozen=True)
class Thaw:
    """A phase, for tools that know neither the package's schedules nor its layer groups.

    Attributes:
        epoch: the epoch it begins with, from 0.
        step: the optimizer step it begins with, from 0.
        trains: names of the layer groups that train from here on.
        thawed: those of them that were frozen before.
    """

    epoch: int
    step: int
    trains: tuple[str, ...]
    thawed: tuple[str, ...]


def freezing_schedule(
    method: str, model: nn.Module, epochs: int, epoch_steps: int
) -> FreezingSchedule:
    """Return the schedule of a method of the ablation.

    Thawing gradually, each epoch is a phase: the head first, then evenly more layers, then all.
    Thaw points lie at the ends of epochs because finetuning-scheduler and fastai know no others.

    Args:
        method: a key of METHODS.
        model: its blocks are counted.
        epochs: passes over the training examples.
        epoch_steps: optimizer steps of each.

    Raises:
        ValueError: when there are too few epochs to thaw anything.
    """
    if method == "full":
        return FreezingSchedule.full()
    if method == "last layer":
        return FreezingSchedule.linear_probe()
    if method == "discriminative":
        return FreezingSchedule.full().with_rates(decay=DECAY)
    if epochs < 2:
        raise ValueError("gradual unfreezing thaws at the end of an epoch: give --epochs 2 or more")
    blocks = sum(group.is_block for group in layer_groups(model))
    depths = [round(blocks * epoch / (epochs - 1)) for epoch in range(epochs - 1)]
    phases = [
        Phase(train=(f"top:{depth}",), until_step=(epoch + 1) * epoch_steps)
        for epoch, depth in enumerate(depths)
    ]
    gradual = FreezingSchedule((*phases, Phase(train=("*",))))
    return gradual if method == "gradual" else gradual.with_rates(decay=DECAY)


def thaws(
    schedule: FreezingSchedule, model: nn.Module, epochs: int, epoch_steps: int
) -> tuple[Thaw, ...]:
    """Return what trains from which step on, first to last."""
    groups, total = layer_groups(model), epochs * epoch_steps
    found: list[Thaw] = []
    seen: set[str] = set()
    for start, _ in schedule.boundaries(total):
        trains = tuple(schedule.at(start, total).resolve(groups))
        thawed = tuple(name for name in trains if name not in seen)
        found.append(Thaw(start // epoch_steps, start, trains, thawed))
        seen |= set(trains)
    return tuple(found)
