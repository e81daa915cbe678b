"""The metrics of a classifier's predictions, computed with scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_transfer_plugin.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

__all__ = ["METRICS", "check_metric", "classification_metrics"]

METRICS = ("accuracy", "f1_macro", "precision_macro", "recall_macro")


def check_metric(name: str) -> None:
    """Check the name of the metric that is judged.

    Raises:
        ConfigError: for an unknown one.
    """
    if name not in METRICS:
        raise ConfigError(
            arrived=f"unknown metric {name!r}{did_you_mean(name, METRICS)}",
            expected="one of " + ", ".join(METRICS),
            action="correct `metric`",
        )


def classification_metrics(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray
) -> dict[str, float]:
    """Return every metric of `METRICS`, each in 0..1, higher is better.

    Args:
        labels: true class [examples].
        predictions: predicted class [examples].
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    # Macro over the classes that occur: a class that test lacks says nothing.
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predictions, labels=sorted(set(labels)), average="macro", zero_division=0.0
    )
    return {
        "accuracy": float(accuracy_score(labels, predictions)),
        "f1_macro": float(f1),
        "precision_macro": float(precision),
        "recall_macro": float(recall),
    }
