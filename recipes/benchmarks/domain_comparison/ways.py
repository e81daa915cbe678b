"""Ways to a classifier of the target: without its labels, with a few, and with all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hf_transfer_plugin.domain_kinds import Labels

__all__ = ["BAR", "CEILING", "FEW_LABELS", "PRETRAINED", "SOURCE_ONLY", "Way", "ways"]

SOURCE_ONLY = "source only"
#: What every objective is held against: frozen features, standardised in each domain.
BAR = "standardised"
CEILING = "target labels"
FEW_LABELS = "8 target labels a class"
#: From a checkpoint that learned masked words of the target's unlabelled texts first.
PRETRAINED = "pretrained on the target"
_PER_CLASS = 8
_BLOCKS = (1, 3, 6)


@dataclass(frozen=True)
class Way:
    """How a classifier is made.

    Attributes:
        name: in the results.
        labels: whose labels train.
        objective: its name and options as they come; empty without one.
        strengths: factors on its weight that the criterion chooses from.
        blocks: numbers of last blocks that train, which it chooses from; 0: that of the group.
        per_class: labelled rows of each class of the target, with labels: both.
        network: whether one is trained; else frozen features and logistic regression.
        adapts_norms: the running statistics of batch norms are those of the target's rows.
        kinds: of data that it is for.
    """

    name: str
    labels: Labels = "source"
    objective: Mapping[str, Any] = field(default_factory=dict)
    strengths: tuple[float, ...] = (1.0,)
    blocks: tuple[int, ...] = (0,)
    per_class: int = 0
    network: bool = True
    adapts_norms: bool = False
    kinds: tuple[str, ...] = ("text", "images")

    @property
    def adapts(self) -> bool:
        """Return whether a network reads the target's rows without their labels."""
        return self.labels == "source" and self.network and self.name != SOURCE_ONLY

    def objective_config(self, strength: float, steps: int) -> dict[str, Any] | None:
        """Return the objective as a config has it; its weight grows over all steps of a run."""
        if not self.objective:
            return None
        found = {**self.objective, "weight": strength}
        return found | ({"warmup": steps} if "warmup" in found else {})


OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "dann": {"name": "dann", "warmup": 0},
    "cdan": {"name": "cdan", "warmup": 0},
    "cdan, entropy": {"name": "cdan", "entropy": True, "warmup": 0},
    "mmd": {"name": "mmd"},
    "coral": {"name": "coral"},
    "mcc": {"name": "mcc"},
    "domain confusion": {"name": "domain_confusion"},
}


def ways() -> dict[str, Way]:
    """Return all ways, what the others are held against first."""
    found = [
        Way(SOURCE_ONLY),
        Way(BAR, network=False),
        *(Way(name, objective=options) for name, options in OBJECTIVES.items()),
        Way("mcc, blocks chosen", objective=OBJECTIVES["mcc"], blocks=_BLOCKS, kinds=("images",)),
        Way("AdaBN", adapts_norms=True, kinds=("images",)),
        Way(PRETRAINED, kinds=("text",)),
        Way(FEW_LABELS, labels="both", per_class=_PER_CLASS),
        Way(CEILING, labels="target"),
    ]
    return {way.name: way for way in found}
