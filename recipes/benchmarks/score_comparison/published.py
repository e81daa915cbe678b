"""Numbers of the literature that need no training: what published code gives, and what ours."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from score_comparison.measuring import Size, planted

__all__ = ["facts_in_child"]

SEEDS = 5
FEW = Size(examples=100, dimensions=768, classes=10)
MORE = Size(examples=500, dimensions=768, classes=10)
SIGNAL = 0.2
Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.intp]]


def facts_in_child(sender: Connection) -> None:
    """Send a row for each fact: what, expected, lowest, highest, measured (mean over seeds)."""
    from hf_transfer_plugin.select.scores import h_score, logme

    noise = [planted(FEW, 0.0, seed) for seed in range(SEEDS)]
    wide = [[planted(MORE, signal, seed) for seed in range(SEEDS)] for signal in (0.0, SIGNAL)]
    few, more = "N=100, D=768, C=10", "N=500, D=768, C=10"
    rows = [
        (f"LogME of noise, {few}", "about -0.2", -0.5, 0.1, [logme(*each) for each in noise]),
        (f"the same as it is often copied, {few}", "about 30", 27.0, 33.0, _copied(noise)),
        (f"plain H-score of noise, {more}", "9.0", 8.99, 9.01, _plain(wide[0])),
        (f"plain H-score of signal, {more}", "9.0", 8.99, 9.01, _plain(wide[1])),
        (f"H-score of noise, {more}", "about 0.04", 0.0, 0.2, [h_score(*e) for e in wide[0]]),
        (f"H-score of signal, {more}", "about 2.2", 1.0, 4.0, [h_score(*e) for e in wide[1]]),
    ]
    sender.send([(*row[:4], float(np.mean(row[4]))) for row in rows])


def _copied(tables: list[tuple[Floats, Integers]]) -> list[float]:
    """LogME with the number of dimensions in the prior, where the rank belongs."""
    return [_copied_logme(features, labels) for features, labels in tables]


def _copied_logme(features: Floats, labels: Integers) -> float:
    examples, dimensions = features.shape
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    values = []
    for label in np.unique(labels):
        target = (labels == label).astype(float)
        along = (left.T @ target) ** 2
        outside = target @ target - along.sum()
        alpha = beta = 1.0
        for _ in range(11):
            ratio = alpha / beta
            kept = singular**2 / (singular**2 + ratio)
            size = np.sum(kept * along / (singular**2 + ratio))
            misfit = np.sum((1 - kept) ** 2 * along) + outside
            alpha, beta = kept.sum() / (size + 1e-5), (examples - kept.sum()) / (misfit + 1e-5)
            if abs(alpha / beta - ratio) <= 1e-3 * ratio:
                break
        value = dimensions * np.log(alpha) + examples * np.log(beta / (2 * np.pi))
        value -= np.log(alpha + beta * singular**2).sum() + beta * misfit + alpha * size
        values.append(value / 2 / examples)
    return float(np.mean(values))


def _plain(tables: list[tuple[Floats, Integers]]) -> list[float]:
    """H-score without shrinkage."""
    found = []
    for features, labels in tables:
        moved = features - features.mean(axis=0)
        means = np.stack([moved[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
        inverse = np.linalg.pinv(np.cov(moved.T))
        found.append(float(np.trace(inverse @ np.cov(means[labels].T))))
    return found
