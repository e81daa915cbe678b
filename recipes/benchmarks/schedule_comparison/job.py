"""What a tool is given to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accelerate.data_loader import SeedableRandomSampler
from torch import nn
from torch.utils.data import DataLoader

from hf_transfer_plugin import FreezingSchedule
from schedule_comparison.inputs import Rows
from schedule_comparison.runs import Run
from schedule_comparison.schedule import Thaw

__all__ = ["CLIP_NORM", "Job"]

#: Trainer's default.
CLIP_NORM = 1.0


@dataclass(frozen=True)
class Job:
    """A model with fresh head, its data and its schedule.

    Attributes:
        thaws: the schedule as thaw points, all at the beginning of epochs.
        parameters: layer group -> names of its parameters in `model`.
        scratch: a folder that the tool may write to.
    """

    run: Run
    model: Any
    train: Rows
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
    schedule: FreezingSchedule
    thaws: tuple[Thaw, ...]
    parameters: dict[str, tuple[str, ...]]
    scratch: str

    def loader(
        self, collate: Callable[[list[dict[str, Any]]], Any] | None = None
    ) -> DataLoader[Any]:
        """Return batches in the order that Trainer takes: it uses this sampler too."""
        sampler = SeedableRandomSampler(self.train, data_seed=self.run.seed)
        return DataLoader(
            self.train,
            batch_size=self.run.batch_size,
            sampler=sampler,
            collate_fn=collate or self.collate,
        )

    def weights(self, groups: tuple[str, ...]) -> list[nn.Parameter]:
        """Return the weights of some layer groups."""
        names = {name for group in groups for name in self.parameters[group]}
        return [weight for name, weight in self.model.named_parameters() if name in names]
