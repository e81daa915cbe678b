"""Terms with a discriminator: its place in a run, and in checkpoints."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable

import torch

from hf_transfer_plugin.adapt.objectives.discriminator import Discriminator, Tensors, warmed_up
from hf_transfer_plugin.adapt.objectives.domain_term import DomainTerm
from hf_transfer_plugin.adapt.objectives.loss_term import Pass, Start

__all__ = ["AdversarialTerm"]

logger = logging.getLogger(__name__)


class AdversarialTerm(DomainTerm):
    """An objective whose discriminator learns with the model.

    The discriminator is made at the first pass in which the features can move, steps when the
    optimizer does, and rests while the features are frozen. It is no part of the model: it travels
    in checkpoints beside the optimizer's state and is gone after the run.
    """

    def __init__(self, **options: float) -> None:
        super().__init__(**options)
        self._made: Discriminator | None = None
        self._loaded: Tensors = {}
        self._seed = 0

    def attach(self, start: Start) -> None:
        """Begin without a discriminator."""
        self._made, self._loaded, self._seed = None, {}, start.seed
        warmup = self.record.settings.get("warmup")
        if warmup and start.steps and start.steps < warmup:
            logger.warning(
                "objective %s: lambda reaches %.2f in the %d steps of this run; with warmup %d, a "
                "tenth of its steps, it reaches 1",
                *(self.name, warmed_up(start.steps, warmup), start.steps),
                max(1, start.steps // 10),
            )

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; a constant while the features are frozen."""
        target, features = self.target_of(seen.batch), self.features_of(seen.read)
        if features.requires_grad:
            return self.against(features, target, seen)
        nothing = features.new_zeros(())
        return nothing, {}

    @abstractmethod
    def against(
        self, features: torch.Tensor, target: torch.Tensor, seen: Pass
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term of features that can move, and values to log.

        Args:
            features: [examples, width].
            target: whether a row is one of the target, [examples].
            seen: the pass.
        """

    def discriminator(
        self,
        inputs: int,
        device: torch.device,
        buffers: Callable[[torch.Generator], dict[str, torch.Tensor]] | None = None,
    ) -> Discriminator:
        """Return the discriminator of this run.

        Args:
            inputs: width of what it reads.
            device: on which it computes.
            buffers: makes further tensors of it, from random numbers of the seed.
        """
        if self._made is None:
            settings = self.record.settings
            draw = torch.Generator().manual_seed(self._seed)
            made = buffers(draw) if buffers is not None else None
            rate, width = settings["rate"], settings.get("width", 0)
            self._made = Discriminator(inputs, width, rate, self._seed, device, made)
            if "weights" in self._loaded:
                self._made.load(self._loaded)
        return self._made

    def step(self) -> None:
        """Let the discriminator step with the optimizer of the model."""
        if self._made is not None:
            self._made.step()

    def tensors(self) -> Tensors:
        """Return what a checkpoint holds of the term."""
        if self._made is not None:
            return self._made.tensors()
        return self._loaded or {"steps": {"steps": torch.tensor(0)}}

    def load(self, tensors: Tensors) -> None:
        """Go on from a checkpoint."""
        self._loaded = tensors

    def detach(self) -> None:
        """Let go of the discriminator."""
        self._made, self._loaded = None, {}
