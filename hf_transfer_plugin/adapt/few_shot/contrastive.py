"""Contrastive tuning on few labels: balanced batches, and a loss over all pairs of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from hf_transfer_plugin.adapt.few_shot.encoders import Encoder

__all__ = ["Contrast", "balanced_batches", "pair_loss"]


def balanced_batches(
    labels: Sequence[int], *, steps: int, classes: int, rows: int, seed: int
) -> list[list[int]]:
    """Return the row numbers of each batch: `rows` of each of `classes` classes.

    All classes, and all rows of a class, come once before any comes again. A class with fewer
    rows than that gives them several times: dropout makes two views of one row (Gao et al.,
    "SimCSE", 2021), so one shot has a positive pair too.

    Args:
        labels: class of each row.
        steps: batches.
        classes: of a batch, at most; all when there are no more.
        rows: of each of them.
        seed: of the order.

    Returns:
        [steps] lists of at most classes x rows row numbers.
    """
    generator = np.random.default_rng(seed)
    known = np.asarray(labels)
    members = {int(name): np.flatnonzero(known == name) for name in np.unique(known)}
    names = _Deck(np.array(list(members)), generator)
    decks = {name: _Deck(each, generator) for name, each in members.items()}
    count = min(classes, len(members))
    return [
        [row for name in names.take(count) for row in decks[name].take(rows)] for _ in range(steps)
    ]


class _Deck:
    """Cards dealt in random order, shuffled anew when they run out."""

    def __init__(self, cards: np.ndarray, generator: np.random.Generator) -> None:
        self._cards = cards
        self._generator = generator
        self._left: list[int] = []

    def take(self, count: int) -> list[int]:
        """Deal cards; as long as there are enough, none twice."""
        taken: list[int] = []
        while len(taken) < count:
            if not self._left:
                fresh = self._generator.permutation(self._cards).tolist()
                # What this hand holds already comes last, so that no hand holds a card twice.
                self._left = sorted(fresh, key=taken.__contains__)
            taken.append(self._left.pop(0))
        return taken


def pair_loss(vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the squared error of all cosines: 1 within a class, 0 across classes.

    The loss of SetFit (Tunstall et al., "Efficient Few-Shot Learning Without Prompts", 2022), over
    all pairs of a batch in place of drawn ones; pairs within and across classes weigh the same.

    Args:
        vectors: [rows, width], of length 1.
        labels: [rows].
    """
    cosines = vectors @ vectors.T
    same = labels[:, None] == labels[None, :]
    other = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = ((cosines - 1) ** 2)[same & other]
    negative = (cosines**2)[~same]
    parts = [part.mean() for part in (positive, negative) if len(part)]
    return torch.stack(parts).mean()


class Contrast(nn.Module):
    """An encoder with its loss, as an unmodified Trainer trains it.

    Args:
        encoder: the network.
    """

    accepts_loss_kwargs = False

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, labels: torch.Tensor, **inputs: Any) -> dict[str, torch.Tensor]:
        """Return the loss of a batch."""
        vectors = normalize(self.encoder(**inputs), dim=1)
        return {"loss": pair_loss(vectors, labels)}
