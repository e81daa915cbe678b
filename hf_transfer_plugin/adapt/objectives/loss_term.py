"""What every objective is: a loss term made from one pass of the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.model_outputs import part_of
from hf_transfer_plugin.objective_records import Objective

__all__ = ["LossTerm", "Pass", "Read", "Start"]

Batch = Mapping[str, Any]


@dataclass(frozen=True)
class Read:
    """What one forward pass held, as far as an objective reads it.

    Attributes:
        features: what the head reads, pooled, [examples, width] in float32; None: not read.
        layers: output of each block, input to head, each [examples, positions, channels] in
            float32.
        raw: the same as the blocks returned it, to differentiate by.
        channel_axes: where the channels are in each of `raw`.
        mask: the positions that are no padding, [examples, positions]; None: all of them.
        head_inputs: positional and named arguments of what holds its weights; None: not read.
    """

    features: torch.Tensor | None = None
    layers: tuple[torch.Tensor, ...] = ()
    raw: tuple[torch.Tensor, ...] = ()
    channel_axes: tuple[int, ...] = ()
    mask: torch.Tensor | None = None
    head_inputs: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Pass:
    """One forward pass in training.

    Attributes:
        batch: what the model was given.
        outputs: what it returned.
        read: of the model that trains, with gradients.
        source: of the frozen copy on the same batch; None unless the objective reads it.
        again: what the model returned for the same batch with other dropout masks; None unless
            the objective reads it, and when no dropout is on.
    """

    batch: Batch
    outputs: Any
    read: Read
    source: Read | None = None
    again: Any = None


@dataclass(frozen=True)
class Start:
    """What an objective knows before the first step of a run.

    Attributes:
        model: the network that trains.
        first: parameter name -> its value before training, on the CPU, for all that the term may
            hold: no head, no matrices of adapters.
        head: names of the parameters of the head.
        images: whether the blocks hand on feature maps of convolutions.
        source: reads a frozen copy of the network as it was before training, with gradients where
            they are enabled; None unless the objective reads it or the source's head.
        source_head: the head that the checkpoint came with: what a head reads -> logits,
            [examples, source classes]; None unless the objective reads it.
        batches: the training rows in order, in batches on the device, as the collator makes them.
        seed: of the run.
        steps: that the run makes in all; 0: not known.
    """

    model: nn.Module
    first: Mapping[str, torch.Tensor]
    head: tuple[str, ...]
    images: bool
    source: Callable[[Batch], Read] | None
    source_head: Callable[[Read], torch.Tensor] | None
    batches: Callable[[], Iterable[Batch]]
    seed: int = 0
    steps: int = 0


class LossTerm(ABC):
    """An objective: attached to a run, asked for its term in each pass, detached at the end.

    It draws no random numbers of its own, and what it holds follows from the source and the data
    alone, or from the tensors that it gives a checkpoint, so that a resumed run goes on with the
    same term.

    Attributes:
        name: key of `objective_kinds.OBJECTIVES`.
        record: name and options.
    """

    name: ClassVar[str]

    def __init__(self, **options: float) -> None:
        self.record = Objective(self.name, options).checked()

    def attach(self, start: Start) -> None:  # noqa: B027 (most terms hold nothing)
        """Take what the term is held to, before the first step."""

    @abstractmethod
    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the weighted term, a scalar in float32, and values to log, by name."""

    def step(self) -> None:  # noqa: B027 (most terms learn nothing)
        """Learn, when the optimizer of the model steps."""

    def tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        """Return what a checkpoint must hold of a term that learns: kind -> name -> tensor."""
        return {}

    def load(self, tensors: dict[str, dict[str, torch.Tensor]]) -> None:  # noqa: B027
        """Go on from what `tensors` returned."""

    def detach(self) -> None:  # noqa: B027
        """Let go of everything that `attach` took."""

    def features_of(self, read: Read) -> torch.Tensor:
        """Return the features of a pass, [examples, width].

        Raises:
            ConfigError: for a model whose head reads no vector an example.
        """
        if read.features is None:
            raise ConfigError(
                arrived=f"objective {self.name} on a model without features before a head",
                expected="a classifier, such as AutoModelForSequenceClassification returns",
                action="choose an objective on weights, such as l2sp",
            )
        return read.features

    def labels_of(self, batch: Batch) -> torch.Tensor:
        """Return the classes of the rows of a batch, [examples].

        Raises:
            ConfigError: for rows without one class each.
        """
        labels = batch.get("labels")
        if not torch.is_tensor(labels) or labels.ndim != 1 or labels.is_floating_point():
            raise ConfigError(
                arrived=f"objective {self.name} on rows without one class each",
                expected="`labels` of [examples], whole numbers",
                action="choose an objective on weights, such as l2sp",
            )
        return labels

    def logits_of(self, outputs: Any, rows: int) -> torch.Tensor:
        """Return what a model says of the classes, [examples, classes].

        Args:
            outputs: of the model.
            rows: of the batch.

        Raises:
            ConfigError: for a model that returns no logits for each example.
        """
        logits = part_of(outputs, "logits")
        if logits is None or logits.ndim != 2 or len(logits) != rows:
            raise ConfigError(
                arrived=f"objective {self.name} on a model that returns no logits for each example",
                expected="logits of [examples, classes]",
                action="choose an objective on weights, such as l2sp",
            )
        return logits
