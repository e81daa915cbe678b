"""WHAT to transfer of a checkpoint: how well each of its layers reads out the target."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data, prepare
from hf_transfer_plugin.errors import CheckpointError, ConfigError, did_you_mean
from hf_transfer_plugin.layer_profile_record import LayerProfile, LayerScore
from hf_transfer_plugin.records import DataSpec, Task
from hf_transfer_plugin.select.candidate_scoring import draws_of, table_scores
from hf_transfer_plugin.select.features import layer_features
from hf_transfer_plugin.select.layer_boundary import (
    Boundary,
    Floats,
    find_boundary,
    pointwise_intervals,
    suggested_cut,
)
from hf_transfer_plugin.select.profile_words import profile_findings
from hf_transfer_plugin.select.scores import SCORES
from hf_transfer_plugin.select.stratified_rows import stratified_rows

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PROFILE_SCORE", "check_profile_score", "layer_profile"]

PROFILE_SCORE = "linear_probe_accuracy"


def layer_profile(
    checkpoint: str,
    dataset: TargetData | DataSpec | str,
    *,
    task: Task,
    score: str = PROFILE_SCORE,
    examples: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> LayerProfile:
    """Score the pooled output of every layer on a sample of train, beside random weights.

    One forward pass over the sample gives all layers (see `layer_features`); test is never read.
    The default score is the held-out accuracy of a linear probe: it means the same whatever the
    width and the scale of a layer. LogME and GBC depend on the scale of the features, H-score
    shrinks wide layers more; they order checkpoints, but not layers of unlike width.

    Args:
        checkpoint: Hub name, local folder or `sample:NAME`.
        dataset: checked data, a `DataSpec`, or its path.
        task: what is to be learned.
        score: name of a score of features.
        examples: size of the stratified sample.
        seed: seed of the sample, of the random weights and of the half samples.
        confidence: of the intervals, in (0, 1).
        revision: commit, tag or branch on the Hub.
        trust_remote_code: run code that comes with the checkpoint.

    Returns:
        The score of each layer, and where to cut: freeze up to the best layer, train the rest.
        The suggestion follows from what a linear probe reads, not from training: layers that were
        trained together can be hard to cut apart (Yosinski et al. 2014).

    Raises:
        ConfigError: for an unknown score, or numbers out of range.
        DataError: for data that cannot be learned from, or a score that is not finite.
        CheckpointError: when the checkpoint cannot be read, or none of its layers gives features.

    References:
        Alain and Bengio, "Understanding intermediate layers using linear classifier probes"
        (2017); Yosinski et al., "How transferable are features in deep neural networks?" (2014);
        Kornblith et al., "Do better ImageNet models transfer better?" (2019): linear probes of
        the last layer and what they say about fine-tuning.
    """
    _check(score, confidence)
    start = time.perf_counter()
    if isinstance(dataset, TargetData):
        data = dataset
    else:
        data = load_data(dataset if isinstance(dataset, DataSpec) else DataSpec(dataset), task)
    labels = data.labels("train")
    rows = stratified_rows(labels, examples, seed)
    classes = [labels[row] for row in rows]
    found = Checkpoint(checkpoint, revision=revision, trust_remote_code=trust_remote_code)
    prepared = prepare(found, data, ("train",))
    learned = layer_features(found, data, prepared, rows, seed=seed)
    fresh = layer_features(found, data, prepared, rows, weights="random", seed=seed)
    names = [name for name in learned.layers if name in fresh.layers]
    if not names:
        raise CheckpointError(
            arrived=f"no layer of {checkpoint} gives one vector an example",
            expected="layers that return [rows, ...] in the order of the batch",
            action="choose another checkpoint; rank_checkpoints still ranks this one",
        )
    points, drawn = _scored(learned.layers, names, classes, score, seed)
    chance, chance_drawn = _scored(fresh.layers, names, classes, score, seed)
    boundary = find_boundary(points, drawn, chance, chance_drawn, confidence=confidence)
    layers = _rows(
        [(name, learned.layers[name].shape[1]) for name in names],
        points,
        pointwise_intervals(points, drawn, confidence),
        chance,
        pointwise_intervals(chance, chance_drawn, confidence),
        boundary,
    )
    freeze, train = suggested_cut(learned.groups or tuple(names), names[boundary.best])
    worth = boundary.beats_rival
    first = boundary.source_specific_from
    return LayerProfile(
        task=task,
        data=data.summary.fingerprint,
        checkpoint=checkpoint,
        score=score,
        examples=len(rows),
        confidence=confidence,
        layers=layers,
        best=names[boundary.best],
        source_specific_from=None if first is None else names[first],
        beats_random=worth,
        freeze=freeze if worth else (),
        train=train if worth else ("*",),
        findings=profile_findings(layers, boundary, score),
        parameters=learned.parameters,
        seconds=time.perf_counter() - start,
    )


def check_profile_score(score: str) -> None:
    """Raise ConfigError for a score that reads no features."""
    known = [name for name, each in SCORES.items() if each.needs == "features"]
    if score not in known:
        raise ConfigError(
            arrived=f"unknown score {score!r}{did_you_mean(score, known)}",
            expected="a score of features: " + ", ".join(known),
            action="correct the score (--score)",
        )


def _check(score: str, confidence: float) -> None:
    check_profile_score(score)
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence={confidence}", "between 0 and 1", "correct confidence")


def _scored(
    layers: Mapping[str, np.ndarray],
    names: Sequence[str],
    classes: Sequence[int],
    score: str,
    seed: int,
) -> tuple[list[float], list[tuple[float, ...]]]:
    """Return the score of each layer, and the same on halves, which are those of every layer."""
    draws = draws_of(score)
    found = [
        table_scores([layers[name]], classes, (score,), draws=draws, seed=seed, null=False)
        for name in names
    ]
    return [each.scores[score] for each in found], [each.draws for each in found]


def _rows(
    layers: Sequence[tuple[str, int]],
    points: Sequence[float],
    interval: tuple[Floats, Floats],
    chance: Sequence[float],
    chance_interval: tuple[Floats, Floats],
    boundary: Boundary,
) -> tuple[LayerScore, ...]:
    return tuple(
        LayerScore(
            layer=name,
            dimensions=width,
            score=points[place],
            lower=float(interval[0][place]),
            upper=float(interval[1][place]),
            random=chance[place],
            random_lower=float(chance_interval[0][place]),
            random_upper=float(chance_interval[1][place]),
            below_best=bool(boundary.below_best[place]),
        )
        for place, (name, width) in enumerate(layers)
    )
