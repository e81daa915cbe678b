"""All transferability scores in one place: higher is better, float64, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hf_transfer_plugin.select.classifier_scores import (
    knn_accuracy,
    linear_probe_accuracy,
    linear_probe_r2,
)
from hf_transfer_plugin.select.feature_scores import gbc, h_score, logme
from hf_transfer_plugin.select.probability_scores import leep, nce, nleep
from hf_transfer_plugin.select.target_inputs import TargetKind

__all__ = [
    "SCORES",
    "Score",
    "gbc",
    "h_score",
    "knn_accuracy",
    "leep",
    "linear_probe_accuracy",
    "linear_probe_r2",
    "logme",
    "nce",
    "nleep",
]


@dataclass(frozen=True)
class Score:
    """A score and what it reads.

    Attributes:
        compute: (table [examples, columns], labels [examples]) -> float, higher is better.
        needs: what the columns are: "features", or "source_probabilities" of the source head.
        targets: what the labels may be: one of "classes" an example, several "labels" of 0 and 1,
            or real "values" (`linear_probe_r2`, apart from this table, takes values alone).
    """

    compute: Callable[..., float]
    needs: Literal["features", "source_probabilities"]
    targets: tuple[TargetKind, ...] = ("classes",)

    def __call__(self, table: object, labels: object) -> float:
        """Return the score of the table for these labels."""
        return self.compute(table, labels)


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "gbc": Score(gbc, "features"),
        "h_score": Score(h_score, "features"),
        "knn_accuracy": Score(knn_accuracy, "features"),
        "leep": Score(leep, "source_probabilities"),
        "linear_probe_accuracy": Score(linear_probe_accuracy, "features", ("classes", "labels")),
        "logme": Score(logme, "features", ("classes", "labels", "values")),
        "nce": Score(nce, "source_probabilities"),
        "nleep": Score(nleep, "features"),
    }
)
