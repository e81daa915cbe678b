"""Relational knowledge distillation: how the examples of a batch lie to one another is kept."""

from __future__ import annotations

import torch
from torch.nn import functional

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Pass

__all__ = ["Relational", "angle_loss", "distance_loss"]


class Relational(LossTerm):
    """Adds the differences of distances and angles between features from those of the source.

    It reads pairs and triples of a batch, so a larger batch is another term than two small ones,
    and its cost grows with the cube of the batch.

    Args:
        distance: weight of the distances; that of the paper's classification.
        angle: weight of the angles; likewise.

    References:
        Park et al., "Relational Knowledge Distillation" (2019).
    """

    name = "relational"

    def __init__(self, distance: float = 25.0, angle: float = 50.0) -> None:
        super().__init__(distance=distance, angle=angle)
        self.distance, self.angle = distance, angle

    def term(self, seen: Pass) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the term; logged are the two losses without their weights."""
        assert seen.source is not None
        ours, theirs = self.features_of(seen.read), self.features_of(seen.source)
        apart, turned = distance_loss(ours, theirs), angle_loss(ours, theirs)
        term = self.distance * apart + self.angle * turned
        return term, {"distance": apart, "angle": turned}


def distance_loss(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Return the mean Huber loss of the distances of all pairs, each over its mean.

    Args:
        ours: features, [examples, width].
        theirs: of the source, likewise.
    """
    return functional.smooth_l1_loss(_distances(ours), _distances(theirs))


def angle_loss(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Return the mean Huber loss of the cosines of the angles of all triples.

    Args:
        ours: features, [examples, width].
        theirs: of the source, likewise.
    """
    return functional.smooth_l1_loss(_cosines(ours), _cosines(theirs))


def _distances(features: torch.Tensor) -> torch.Tensor:
    """Return [examples, examples], over the mean of those above 0."""
    squared = (features[:, None] - features[None]).square().sum(2)
    others = squared > 0
    # The square root has no slope at 0.
    found = torch.where(others, torch.where(others, squared, 1.0).sqrt(), 0.0)
    return found / found.sum().clamp(min=1e-12) * others.sum()


def _cosines(features: torch.Tensor) -> torch.Tensor:
    """Return the cosine at i between j and k, [i, j, k]; 0 where two of them are one."""
    ways = functional.normalize(features[None] - features[:, None], dim=2)
    return ways @ ways.transpose(1, 2)
