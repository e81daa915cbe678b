"""All that a ranking computes from one table of features: scores, their spread and their null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.resampling import half_samples, label_permutation_null
from hf_transfer_plugin.select.scores import SCORES

__all__ = ["TableScores", "table_scores"]

NULL_QUANTILE = 0.95
# Every half is fitted anew, accuracies too. Halves of the hits of one fit would be cheap, but leave
# out that the fit itself varies with the examples: in simulated ties they came out up to a fifth
# too short, and a 90 % set held a best candidate in 76 to 88 % of the cases.
DRAWS: Mapping[str, int] = MappingProxyType({"linear_probe_accuracy": 40, "nleep": 40})
MOST_DRAWS = 100


@dataclass(frozen=True)
class TableScores:
    """What one table of features gave.

    Attributes:
        scores: score name -> value.
        draws: the ordering score on each half sample.
        null: mean and 95 % quantile of the ordering score with shuffled labels; None where it
            was not asked for.
    """

    scores: Mapping[str, float]
    draws: tuple[float, ...]
    null: tuple[float, float] | None


def table_scores(
    features: NDArray[np.float64],
    labels: Sequence[int],
    names: Sequence[str],
    *,
    seed: int,
    null: bool,
) -> TableScores:
    """Score features; the first name is the ordering score, which is resampled too.

    Tables of the same labels and seed see the same halves, so that their differences are paired.

    Args:
        features: [examples, width].
        labels: [examples].
        names: of the scores.
        seed: of halves and shufflings.
        null: whether to shuffle labels, at the price of one more score each time.

    Raises:
        DataError: for features that a score cannot read, or that give no finite score.
    """
    classes = np.asarray(labels)
    order, *others = names
    value = SCORES[order](features, classes)
    draws = [
        SCORES[order](features[half], classes[half])
        for half in half_samples(classes, DRAWS.get(order, MOST_DRAWS), seed)
    ]
    if not np.isfinite([value, *draws]).all():
        raise DataError(
            arrived=f"{order} of these features is {value}, or not finite on half of the examples",
            expected="a finite score",
            action="choose another ordering score (rank_scores)",
        )
    found = None
    if null:
        shuffled = label_permutation_null(SCORES[order], features, classes, seed=seed)
        high = float(np.quantile(shuffled, NULL_QUANTILE, method="higher"))
        found = (float(shuffled.mean()), high)
    scores = {order: value, **{name: SCORES[name](features, classes) for name in others}}
    return TableScores(scores, tuple(draws), found)
