"""WHAT to transfer, as a ranking leaves it: candidates and baselines with their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hf_transfer_plugin.data_records import Task
from hf_transfer_plugin.serialization import Record

__all__ = ["Candidate", "Ranking"]


@dataclass(frozen=True)
class Candidate(Record):
    """One row of a ranking.

    Attributes:
        checkpoint: Hub name, local folder, `sample:NAME`, or the name of a baseline.
        kind: "pretrained" can be transferred; "random" (same architecture, random weights) and
            "baseline" (no network) are there to compare with.
        scores: score name -> value, higher is better.
        parameters: number of weights (0 for a baseline).
        feature_dimensions: width of the pooled features, that of all layers that are scored.
        seconds: wall time of features and scores.
        error: why the candidate could not be scored.
        examples: how many it was scored on (fewer than the others where halving dropped it); 0 in
            files of earlier versions.
        interval: lower and upper end for the ordering score, at the confidence of the ranking
            for all rows at once.
        best_layer: score name -> value of the layer that reads out best, where `scores` are means
            over layers; what is compared with a baseline without a network.
        null: mean and 95% quantile of the ordering score with shuffled labels.
        against_best: how this baseline does against the first candidate, beyond the noise.
        downloads: of the last 30 days, as the Hub says; None when it was not asked.
        declared: what the model card states, such as {"accuracy on imdb": 0.93}.
        static_rank: place by the static prior, 1 is first; equal ones share a place.
        estimated_seconds: what the pass over the examples was expected to take without a cache.
        feature_seconds: what it took.
    """

    checkpoint: str
    kind: Literal["pretrained", "random", "baseline"]
    scores: Mapping[str, float] = field(default_factory=dict)
    parameters: int = 0
    feature_dimensions: int = 0
    seconds: float = 0.0
    error: str | None = None
    examples: int = 0
    interval: tuple[float, float] | None = None
    best_layer: Mapping[str, float] = field(default_factory=dict)
    null: tuple[float, float] | None = None
    against_best: Literal["beaten", "level", "ahead"] | None = None
    downloads: int | None = None
    declared: Mapping[str, float] = field(default_factory=dict)
    static_rank: int | None = None
    estimated_seconds: float | None = None
    feature_seconds: float | None = None

    def against(self, other: Candidate, score: str) -> float:
        """Return the score that is held against another row's.

        A baseline without a network has one table of features; it meets the best layer, since the
        mean over layers counts those that read out little too.
        """
        if other.kind == "baseline" and score in self.best_layer:
            return self.best_layer[score]
        return self.scores[score]


@dataclass(frozen=True)
class Ranking(Record):
    """WHAT to transfer: candidates, best first.

    Attributes:
        score: name of the score that orders.
        examples: number of training examples that were scored.
        candidates: kind "pretrained", best first; then those that halving dropped; failed ones
            last.
        baselines: kinds "random" (of the candidates that reached all examples) and "baseline".
        findings: plain words, such as that nothing beats the baselines.
        request: hash of everything that was asked for; another one makes the ranking stale.
        confidence_set: candidates that cannot be told from the best, best first; empty in files
            of earlier versions.
        confidence: that the set holds the truly best, and of the intervals.
        static_prior: what `static_rank` counts.
    """

    file_name = "ranking.json"

    task: Task
    data: str
    score: str
    examples: int
    candidates: tuple[Candidate, ...]
    baselines: tuple[Candidate, ...] = ()
    findings: tuple[str, ...] = ()
    request: str = ""
    confidence_set: tuple[str, ...] = ()
    confidence: float = 0.9
    static_prior: Literal["downloads", "parameters"] | None = None
