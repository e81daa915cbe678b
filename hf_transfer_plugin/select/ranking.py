"""WHAT to transfer: candidates in the order of a score on their features of the target."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, load_data, prepare
from hf_transfer_plugin.data.plain import PLAIN_NAMES, plain_features
from hf_transfer_plugin.errors import ConfigError, TransferError, did_you_mean
from hf_transfer_plugin.records import Candidate, DataSpec, Ranking, Task
from hf_transfer_plugin.select.features import pooled_features
from hf_transfer_plugin.select.scores import SCORES

__all__ = ["DEFAULT_SCORES", "rank_checkpoints"]

DEFAULT_SCORES = ("logme", "h_score", "knn_accuracy", "linear_probe_accuracy")
_MOST_WORDS = 2048  # keeps the dense table of the TF-IDF baseline as small as a network's


def rank_checkpoints(
    candidates: Sequence[str],
    dataset: TargetData | DataSpec | str,
    *,
    task: Task,
    scores: Sequence[str] = DEFAULT_SCORES,
    examples: int = 500,
    seed: int = 0,
    revisions: Mapping[str, str] = MappingProxyType({}),
    trust_remote_code: bool = False,
) -> Ranking:
    """Score each candidate on a stratified sample of train, beside baselines; test is never read.

    Args:
        candidates: Hub names, local folders or `sample:NAME`.
        dataset: checked data, a `DataSpec`, or its path.
        task: what is to be learned.
        scores: names of feature scores; the first one orders.
        examples: size of the sample.
        seed: seed of the sample and of the random weights.
        revisions: candidate -> commit, tag or branch on the Hub; main for the others.
        trust_remote_code: run code that comes with a candidate.

    Returns:
        Candidates, best first; as baselines each architecture with random weights, and TF-IDF or
        raw pixels. A candidate that cannot be scored is listed last with its error.

    Raises:
        ConfigError: for an unknown score or no candidate.
        DataError: for data that cannot be learned from.
        CheckpointError: when no candidate at all could be scored.
    """
    _check(candidates, scores)
    if isinstance(dataset, TargetData):
        data = dataset
    else:
        data = load_data(dataset if isinstance(dataset, DataSpec) else DataSpec(dataset), task)
    scorer = _Scorer(data, tuple(scores), _sample(data, examples, seed), seed)
    ranked: list[Candidate] = []
    baselines: list[Candidate] = []
    failed: list[Candidate] = []
    for name in dict.fromkeys(candidates):
        try:
            checkpoint = Checkpoint(
                name, revision=revisions.get(name), trust_remote_code=trust_remote_code
            )
            prepared = prepare(checkpoint, data, ("train",))
            pretrained = scorer.network(checkpoint, prepared, "pretrained")
            fresh = scorer.network(checkpoint, prepared, "random")
        except TransferError as error:
            failed.append(Candidate(name, "pretrained", error=str(error)))
            if len(failed) == len(set(candidates)):
                raise
        else:
            ranked.append(pretrained)
            baselines.append(fresh)
    baselines.append(scorer.plain())
    ranked.sort(key=lambda each: -each.scores[scores[0]])
    return Ranking(
        task=task,
        data=data.summary.fingerprint,
        score=scores[0],
        examples=len(scorer.rows),
        candidates=(*ranked, *failed),
        baselines=tuple(baselines),
        findings=_findings(ranked, baselines, scores[0]),
    )


@dataclass(frozen=True)
class _Scorer:
    data: TargetData
    scores: tuple[str, ...]
    rows: tuple[int, ...]
    seed: int

    def network(
        self, checkpoint: Checkpoint, prepared: Prepared, weights: Literal["pretrained", "random"]
    ) -> Candidate:
        start = time.perf_counter()
        features, parameters = pooled_features(
            checkpoint, self.data, prepared, self.rows, weights=weights, seed=self.seed
        )
        return self._candidate(checkpoint.name, weights, features, parameters, start)

    def plain(self) -> Candidate:
        start = time.perf_counter()
        table = plain_features(self.data, most_words=_MOST_WORDS)["train"][list(self.rows)]
        dense = table.toarray() if self.data.task == "text-classification" else table
        name = PLAIN_NAMES[self.data.task].removesuffix("-logistic")
        return self._candidate(name, "baseline", dense, 0, start)

    def _candidate(
        self,
        name: str,
        kind: Literal["pretrained", "random", "baseline"],
        features: Any,
        parameters: int,
        start: float,
    ) -> Candidate:
        every = self.data.labels("train")
        labels = [every[row] for row in self.rows]
        return Candidate(
            checkpoint=name,
            kind=kind,
            scores={score: SCORES[score](features, labels) for score in self.scores},
            parameters=parameters,
            feature_dimensions=features.shape[1],
            seconds=time.perf_counter() - start,
        )


def _check(candidates: Sequence[str], scores: Sequence[str]) -> None:
    known = [name for name, score in SCORES.items() if score.needs == "features"]
    for score in scores:
        if score not in known:
            raise ConfigError(
                arrived=f"unknown score {score!r}{did_you_mean(score, known)}",
                expected="scores of features: " + ", ".join(known),
                action="correct `scores`",
            )
    if not candidates or not scores:
        raise ConfigError(
            arrived="no candidate to rank" if scores else "no score to rank by",
            expected="at least one checkpoint and one score",
            action="name a checkpoint (checkpoint: or candidates:)",
        )


def _sample(data: TargetData, examples: int, seed: int) -> tuple[int, ...]:
    from sklearn.model_selection import train_test_split

    labels = data.labels("train")
    rows = range(len(labels))
    classes = len(set(labels))
    # Stratified drawing needs room for each class on both sides.
    smallest = min(Counter(labels).values())
    if len(rows) - examples < classes or smallest < 2:
        return tuple(rows)
    drawn, _ = train_test_split(
        rows, train_size=max(examples, classes), random_state=seed, stratify=labels
    )
    return tuple(sorted(drawn))


def _findings(
    ranked: Sequence[Candidate], baselines: Sequence[Candidate], score: str
) -> tuple[str, ...]:
    best = ranked[0]
    findings = []
    for name in best.scores:
        ahead = [each for each in baselines if each.scores[name] >= best.scores[name]]
        if not ahead:
            continue
        named = ", ".join(f"{each.checkpoint} ({each.kind})" for each in ahead)
        doubt = ": this ranking gives no reason to transfer" if name == score else ""
        findings.append(f"by {name}, {named} does as well as {best.checkpoint} or better{doubt}")
    return tuple(findings) or (f"{best.checkpoint} beats every baseline by every score",)
