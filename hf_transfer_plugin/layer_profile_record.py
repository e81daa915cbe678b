"""The profile of a checkpoint's layers on a target: one JSON file in the run folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hf_transfer_plugin.records import Task
from hf_transfer_plugin.serialization import Record

__all__ = ["LayerProfile", "LayerScore"]


@dataclass(frozen=True)
class LayerScore(Record):
    """One layer group of a profile.

    Attributes:
        layer: its name, as `layer_groups` gives it.
        dimensions: width of its pooled output.
        score, lower, upper: how well the target is read out of it, with its interval.
        random, random_lower, random_upper: the same of the network with random weights.
        below_best: lower than the best layer by more than the noise.
    """

    layer: str
    dimensions: int
    score: float
    lower: float
    upper: float
    random: float
    random_lower: float
    random_upper: float
    below_best: bool


@dataclass(frozen=True)
class LayerProfile(Record):
    """Which layer of a checkpoint reads out the target best, and where to cut.

    Attributes:
        task: what is to be learned.
        data: fingerprint of the data.
        checkpoint: Hub name, local folder or `sample:NAME`.
        score: name of the score, higher is better.
        examples: number of training examples that were scored.
        confidence: of every interval.
        layers: input to head.
        best: the layer with the highest score.
        source_specific_from: first layer after the best one from which the score is lower by more
            than the noise, up to the last layer; None when there is no such layer.
        beats_random: the best layer is better than every layer of the network with random weights
            by more than the noise.
        freeze: suggestion: layer groups to freeze, the best one and all before it. Empty when
            nothing is worth keeping.
        train: suggestion: selectors of what trains, for `Phase.train`.
        findings: plain words.
        parameters: number of weights.
        seconds: wall time of features and scores.
        request: hash of everything that was asked for; another one makes the profile stale.
    """

    file_name = "layer_profile.json"

    task: Task
    data: str
    checkpoint: str
    score: str
    examples: int
    confidence: float
    layers: tuple[LayerScore, ...]
    best: str
    source_specific_from: str | None
    beats_random: bool
    freeze: tuple[str, ...]
    train: tuple[str, ...]
    findings: tuple[str, ...] = ()
    parameters: int = 0
    seconds: float = 0.0
    request: str = ""

    @property
    def schedule(self) -> dict[str, Any]:
        """Return the suggestion as a config has it; `FreezingSchedule.from_config` reads it."""
        return {"phases": [{"train": list(self.train)}]}

    @property
    def best_layer(self) -> LayerScore:
        """Return the row of the best layer."""
        return next(each for each in self.layers if each.layer == self.best)
