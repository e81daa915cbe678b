"""Lines of a results file, gathered by target."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranking_comparison.lines import Lines
from ranking_comparison.plan import CANDIDATES, FEATURE_SCORES, ORDERING, TARGETS

__all__ = ["Measured", "gathered", "seed_deviation"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """All that is known of one target.

    Attributes:
        target: a key of TARGETS.
        names: candidates that were both ranked and fine-tuned.
        accuracies: [candidates], means over seeds.
        hits: for each candidate [seeds, test rows].
        orders: order -> [candidates], higher is better.
        sets: order -> names in its confidence set.
        parameters: [candidates].
    """

    target: str
    names: tuple[str, ...]
    accuracies: Floats
    hits: tuple[Floats, ...]
    orders: dict[str, Floats]
    sets: dict[str, tuple[str, ...]]
    parameters: Floats

    @property
    def kind(self) -> str:
        """Return the kind of data."""
        return TARGETS[self.target].kind


def gathered(lines: Lines) -> list[Measured]:
    """Return the targets whose scored candidates were all fine-tuned.

    Raises:
        ValueError: when a ranking and the same scores computed apart differ.
    """
    tuned: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in lines:
        if key[0] == "tuning":
            tuned[key[1], key[2]].append(lines[key]["hits"])
    found = []
    for target in TARGETS:
        if ("scores", target) not in lines:
            continue
        scored = lines["scores", target]["scores"]
        names = tuple(name for name in CANDIDATES if name in scored)
        if all((target, name) in tuned for name in names):
            hits = tuple(_table(tuned[target, name]) for name in names)
            found.append(_measured(lines, target, names, hits))
    return found


def seed_deviation(lines: Lines) -> tuple[float, int]:
    """Return the pooled standard deviation of an accuracy over seeds, and the pairs it rests on.

    It is 0 when nothing was fine-tuned with two seeds.
    """
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for key in lines:
        if key[0] == "tuning":
            groups[key[1], key[2]].append(lines[key]["accuracy"])
    repeated = [values for values in groups.values() if len(values) > 1]
    if not repeated:
        return 0.0, 0
    squares = sum(float(np.var(values)) * len(values) for values in repeated)
    return float(np.sqrt(squares / sum(len(values) - 1 for values in repeated))), len(repeated)


def _measured(
    lines: Lines, target: str, names: tuple[str, ...], hits: tuple[Floats, ...]
) -> Measured:
    scored = lines["scores", target]
    orders = {
        score: np.array([scored["scores"][name][score] for name in names])
        for score in FEATURE_SCORES
    }
    sets = {}
    parameters = np.array([scored["parameters"][name] for name in names], dtype=np.float64)
    orders["parameters"] = parameters
    for key in lines:
        if key[:2] == ("last", target):
            last: dict[str, float] = lines[key]["scores"]
            orders[f"{key[2]}, last layer alone"] = np.array([last[name] for name in names])
        if key[:2] == ("set", target):
            sets[key[2]] = tuple(lines[key]["set"])
        if key[:2] == ("other", target):
            other: dict[str, Any] = lines[key]["scores"]
            orders[f"TransformerRanker, {key[2]}"] = np.array([other[name] for name in names])
    _require_agreement(lines, target, sets)
    accuracies = np.array([table.mean() for table in hits])
    return Measured(target, names, accuracies, hits, orders, sets, parameters)


def _require_agreement(lines: Lines, target: str, sets: dict[str, tuple[str, ...]]) -> None:
    """Require that `rank_checkpoints` says what the parts that it is made of say."""
    own = ORDERING[TARGETS[target].kind]
    if ("ranking", target) not in lines:
        return
    ranking, scores = lines["ranking", target], lines["scores", target]["scores"]
    same = set(ranking["scores"]) == set(scores) and all(
        np.isclose(ranking["scores"][name][own], scores[name][own], rtol=1e-6) for name in scores
    )
    if not same or set(sets.get(own, ranking["set"])) != set(ranking["set"]):
        raise ValueError(f"{target}: rank_checkpoints and its parts differ; measure both again")


def _table(hits: list[str]) -> Floats:
    return np.array([[float(digit) for digit in each] for each in hits])
