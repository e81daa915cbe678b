"""All that a ranking computes from features: scores, their spread and their null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import Task
from hf_transfer_plugin.select.resampling import half_samples, label_permutation_null
from hf_transfer_plugin.select.scores import SCORES

__all__ = ["TableScores", "draws_of", "mean_score", "table_scores"]

Table = NDArray[np.float64]

NULL_QUANTILE = 0.95
# Every half is fitted anew, accuracies too. Halves of the hits of one fit would be cheap, but leave
# out that the fit itself varies with the examples: in simulated ties (recipes/benchmarks/ties.py) a
# 90 % set held a best candidate in 76 to 85 % of the cases with kNN, 84 to 90 % with linear probes.
_SLOW = ("linear_probe_accuracy", "nleep")
_MOST_DRAWS, _FEWER_DRAWS = 100, 40


@dataclass(frozen=True)
class TableScores:
    """What the features of one network gave.

    Attributes:
        scores: score name -> value, the mean over its tables.
        best: score name -> value of its best table.
        draws: the ordering score on each half sample.
        best_draws: that of the best table on each half sample.
        null: mean and 95 % quantile of the ordering score with shuffled labels; None where it
            was not asked for.
    """

    scores: Mapping[str, float]
    best: Mapping[str, float]
    draws: tuple[float, ...]
    best_draws: tuple[float, ...]
    null: tuple[float, float] | None


def draws_of(order: str, task: Task | None = None) -> int:
    """Return on how many halves to compute an ordering score: fewer where each one is work.

    Args:
        order: the score.
        task: of a ranking, which scores every layer of an image network; None for one table.
    """
    slow = order in _SLOW or task == "image-classification"
    return _FEWER_DRAWS if slow else _MOST_DRAWS


def mean_score(name: str, tables: Sequence[Table], labels: NDArray[Any]) -> float:
    """Return the mean of a score over the tables of one network, each [examples, width]."""
    return float(_each(name, tables, labels).mean())


def table_scores(
    tables: Sequence[Table],
    labels: Sequence[int],
    names: Sequence[str],
    *,
    draws: int,
    seed: int,
    null: bool,
) -> TableScores:
    """Score features; the first name is the ordering score, which is resampled too.

    A score of several tables is the mean of their scores. Networks with the same labels and seed
    see the same halves, so that their differences are paired.

    Args:
        tables: of one network, each [examples, width]; widths may differ.
        labels: [examples].
        names: of the scores.
        draws: number of halves; what is compared needs as many.
        seed: of halves and shufflings.
        null: whether to shuffle labels, at the price of one more score each time.

    Raises:
        DataError: for features that a score cannot read, or that give no finite score.
    """
    classes = np.asarray(labels)
    order = names[0]
    found = {name: _each(name, tables, classes) for name in names}
    halves = np.array(
        [
            _each(order, [table[half] for table in tables], classes[half])
            for half in half_samples(classes, draws, seed)
        ]
    )
    if not (np.isfinite(found[order]).all() and np.isfinite(halves).all()):
        raise DataError(
            arrived=f"{order} of these features is {found[order].mean()}, or not finite on half of "
            "the examples",
            expected="a finite score",
            action="choose another ordering score (rank_scores, --score)",
        )
    chance = None
    if null:
        shuffled = label_permutation_null(
            lambda given: mean_score(order, tables, given), classes, seed=seed
        )
        high = float(np.quantile(shuffled, NULL_QUANTILE, method="higher"))
        chance = (float(shuffled.mean()), high)
    return TableScores(
        scores={name: float(values.mean()) for name, values in found.items()},
        best={name: float(values.max()) for name, values in found.items()},
        draws=tuple(halves.mean(axis=1).tolist()),
        best_draws=tuple(halves.max(axis=1).tolist()),
        null=chance,
    )


def _each(name: str, tables: Sequence[Table], labels: NDArray[Any]) -> Table:
    return np.array([SCORES[name](table, labels) for table in tables])
