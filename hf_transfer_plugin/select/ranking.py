"""WHAT to transfer: candidates in the order of a score on their features of the target."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.errors import ConfigError, did_you_mean
from hf_transfer_plugin.records import DataSpec, Ranking, Task
from hf_transfer_plugin.select.halving import nested_samples, split_confidence
from hf_transfer_plugin.select.kept_scores import KeptScores
from hf_transfer_plugin.select.ranking_findings import ranking_findings
from hf_transfer_plugin.select.ranking_rounds import RankingInTheMaking
from hf_transfer_plugin.select.row_scoring import RowScorer
from hf_transfer_plugin.select.scores import SCORES
from hf_transfer_plugin.select.static_prior import with_static_ranks
from hf_transfer_plugin.select.stratified_rows import stratified_rows

__all__ = ["DEFAULT_SCORES", "rank_checkpoints"]

# The first one orders: of the two that agreed best with fine-tuning, on texts LogME also tells a
# checkpoint from its twin with random weights on fewer examples (recipes/benchmarks/ranking.py).
DEFAULT_SCORES: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        "text-classification": ("logme", "knn_accuracy", "h_score", "linear_probe_accuracy"),
        "image-classification": ("knn_accuracy", "logme", "h_score", "linear_probe_accuracy"),
    }
)


def rank_checkpoints(
    candidates: Sequence[str],
    dataset: TargetData | DataSpec | str,
    *,
    task: Task,
    scores: Sequence[str] | None = None,
    examples: int = 500,
    seed: int = 0,
    confidence: float = 0.9,
    halving: bool = False,
    revisions: Mapping[str, str] = MappingProxyType({}),
    trust_remote_code: bool = False,
    keep_in: str | os.PathLike[str] | None = None,
) -> Ranking:
    """Score each candidate on a stratified sample of train, beside baselines; test is never read.

    The ordering score is computed again on 100 half samples (40 where it is slow). That gives the
    intervals, the confidence set of candidates that cannot be told from the best, and says whether
    a baseline is beaten by more than noise. Several processes of a launcher share the candidates.

    Args:
        candidates: Hub names, local folders or `sample:NAME`.
        dataset: checked data, a `DataSpec`, or its path.
        task: what is to be learned.
        scores: names of feature scores; the first one orders. None: `DEFAULT_SCORES` of the task.
        examples: size of the sample.
        seed: seed of the sample, of the random weights and of the half samples.
        confidence: that the confidence set holds the truly best, in (0, 1).
        halving: score on a quarter of the sample first, then on half of it, and keep each time
            the better half of the candidates and those that cannot be told from the best.
        revisions: candidate -> commit, tag or branch on the Hub; main for the others.
        trust_remote_code: run code that comes with a candidate.
        keep_in: folder for finished rows, so that a ranking that was killed goes on.

    Returns:
        Candidates, best first; as baselines each architecture with random weights, and TF-IDF or
        raw pixels. Candidates that halving dropped follow, with the number of examples they were
        scored on; a candidate that cannot be scored is listed last with its error.

    Raises:
        ConfigError: for an unknown score, no candidate, or a confidence outside (0, 1).
        DataError: for data that cannot be learned from.
        CheckpointError: when no candidate at all could be scored.
    """
    scores = DEFAULT_SCORES[task] if scores is None else scores
    _check(candidates, scores, confidence)
    if isinstance(dataset, TargetData):
        data = dataset
    else:
        data = load_data(dataset if isinstance(dataset, DataSpec) else DataSpec(dataset), task)
    names = tuple(dict.fromkeys(candidates))
    labels = data.labels("train")
    rows = stratified_rows(labels, examples, seed)
    samples: tuple[tuple[int, ...], ...] = (rows,)
    if halving and len(names) > 1:
        samples = nested_samples(rows, [labels[row] for row in rows], seed)
    asked = [data.summary.fingerprint, list(scores), samples, seed, dict(revisions)]
    reading = [data.spec.max_length, data.spec.image_size]
    kept = KeptScores(keep_in, [asked, reading])
    scorer = RowScorer(data, scores, samples, seed, revisions, trust_remote_code, kept)
    making = RankingInTheMaking(
        scorer, names, scores[0], split_confidence(confidence, len(samples))
    )
    for look in range(len(samples) - 1):
        making.halve(look)
    scored, baselines, chosen = making.finish()
    ranked, prior = with_static_ranks(scored)
    return Ranking(
        task=task,
        data=data.summary.fingerprint,
        score=scores[0],
        examples=len(rows),
        candidates=(*ranked, *making.failed()),
        baselines=baselines,
        findings=ranking_findings(
            ranked,
            baselines,
            score=scores[0],
            chosen=chosen,
            confidence=confidence,
            prior=prior,
        ),
        confidence_set=chosen,
        confidence=confidence,
        static_prior=prior,
    )


def _check(candidates: Sequence[str], scores: Sequence[str], confidence: float) -> None:
    known = [name for name, score in SCORES.items() if score.needs == "features"]
    for score in scores:
        if score not in known:
            raise ConfigError(
                arrived=f"unknown score {score!r}{did_you_mean(score, known)}",
                expected="scores of features: " + ", ".join(known),
                action="correct the scores (rank_scores)",
            )
    if not candidates or not scores:
        raise ConfigError(
            arrived="no candidate to rank" if scores else "no score to rank by",
            expected="at least one checkpoint and one score",
            action="name a checkpoint (checkpoint: or candidates:)",
        )
    if not 0 < confidence < 1:
        raise ConfigError(
            arrived=f"confidence={confidence}",
            expected="a probability between 0 and 1",
            action="leave it out for the default of 0.9",
        )
