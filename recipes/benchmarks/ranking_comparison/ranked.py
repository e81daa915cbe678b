"""What this package says of a target: the ranking of its candidates, and a set for each score."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin import rank_checkpoints
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, prepare
from hf_transfer_plugin.select.candidate_scoring import draws_of, mean_score, table_scores
from hf_transfer_plugin.select.features import LayerFeatures, layer_features
from hf_transfer_plugin.select.resampling import confidence_set
from ranking_comparison.plan import FEATURE_SCORES

__all__ = ["features_of", "last_layer_of", "order_of", "rank", "scores_of"]

CONFIDENCE = 0.9


def rank(names: Mapping[str, str], data: TargetData, rows: int, own: str) -> dict[str, Any]:
    """Rank candidates as a user would, by the default score, beside their baselines.

    Args:
        names: candidate -> its folder.
        data: the target.
        rows: training rows of the target, all of them.
        own: the score that orders.

    Raises:
        RuntimeError: when a candidate could not be scored.
    """
    began = time.perf_counter()
    ranking = rank_checkpoints(
        list(names.values()),
        data,
        task=data.task,
        scores=(own, *(score for score in FEATURE_SCORES if score != own)),
        examples=rows,
        confidence=CONFIDENCE,
    )
    seconds = time.perf_counter() - began
    short = {folder: name for name, folder in names.items()}
    failed = [each.error for each in ranking.candidates if each.error]
    if failed:
        raise RuntimeError("; ".join(str(error) for error in failed))
    return {
        "examples": ranking.examples,
        "scores": {short[each.checkpoint]: dict(each.scores) for each in ranking.candidates},
        "random": {short[each.checkpoint]: dict(each.scores) for each in ranking.baselines[:-1]},
        "plain": dict(ranking.baselines[-1].scores),
        "set": [short[folder] for folder in ranking.confidence_set],
        "findings": [_named(finding, short) for finding in ranking.findings],
        "seconds": seconds,
    }


def features_of(names: Mapping[str, str], data: TargetData) -> dict[str, LayerFeatures]:
    """Return the features that a ranking scores, of all training rows of a target."""
    rows = range(len(data.labels("train")))
    found = {}
    for name, folder in names.items():
        checkpoint = Checkpoint(folder)
        prepared = prepare(checkpoint, data, ("train",))
        found[name] = layer_features(checkpoint, data, prepared, rows)
    return found


def scores_of(features: Mapping[str, LayerFeatures], data: TargetData) -> dict[str, Any]:
    """Return every score of every candidate, and its number of weights."""
    began = time.perf_counter()
    labels, tables = np.asarray(data.labels("train")), _tables(features, data)
    return {
        "scores": {
            name: {score: mean_score(score, own, labels) for score in FEATURE_SCORES}
            for name, own in tables.items()
        },
        "parameters": {name: each.parameters for name, each in features.items()},
        "seconds": time.perf_counter() - began,
    }


def last_layer_of(
    score: str, features: Mapping[str, LayerFeatures], data: TargetData
) -> dict[str, Any]:
    """Return a score of the last layer alone, the one that a head reads."""
    began = time.perf_counter()
    labels = np.asarray(data.labels("train"))
    scores = {
        name: mean_score(score, [list(each.layers.values())[-1]], labels)
        for name, each in features.items()
    }
    return {"scores": scores, "seconds": time.perf_counter() - began}


def order_of(score: str, features: Mapping[str, LayerFeatures], data: TargetData) -> dict[str, Any]:
    """Return the confidence set of a score: the one of a ranking that it orders."""
    began = time.perf_counter()
    tables, labels = _tables(features, data), data.labels("train")
    draws = draws_of(score, data.task)
    found = [
        table_scores(own, labels, (score,), draws=draws, seed=0, null=False)
        for own in tables.values()
    ]
    full = [each.scores[score] for each in found]
    members = confidence_set([each.draws for each in found], full, CONFIDENCE).members
    names = list(features)
    return {
        "scores": dict(zip(names, full, strict=True)),
        "set": [names[number] for number in members],
        "draws": {name: each.draws for name, each in zip(names, found, strict=True)},
        "seconds": time.perf_counter() - began,
    }


def _tables(
    features: Mapping[str, LayerFeatures], data: TargetData
) -> dict[str, list[NDArray[Any]]]:
    return {name: list(each.scored(data.task).values()) for name, each in features.items()}


def _named(finding: str, short: Mapping[str, str]) -> str:
    for folder in sorted(short, key=len, reverse=True):
        finding = finding.replace(folder, short[folder])
    return finding
