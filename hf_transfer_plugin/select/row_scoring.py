"""One row of a ranking: features of a checkpoint on the examples of a look, and their scores."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, prepare
from hf_transfer_plugin.data.plain import PLAIN_NAMES, plain_features
from hf_transfer_plugin.records import Candidate
from hf_transfer_plugin.select.candidate_scoring import draws_of, table_scores
from hf_transfer_plugin.select.features import layer_features
from hf_transfer_plugin.select.hub_prior import hub_prior
from hf_transfer_plugin.select.kept_scores import KeptScores, Scored, weights_state
from hf_transfer_plugin.select.pass_cost import pass_seconds

__all__ = ["RowScorer"]

_TELLING = 0.001  # share of unknown tokens that is worth a word
MOST_WORDS = 2048  # keeps the dense table of the TF-IDF baseline as small as a network's
logger = logging.getLogger(__name__)
Table = NDArray[np.float64]
Tables = Mapping[str, Table]
Weights = Literal["pretrained", "random"]


class RowScorer:
    """Makes the rows of one ranking.

    Args:
        data: checked data.
        scores: names of feature scores; the first one orders.
        samples: row numbers of train for each look, each sample inside the next one.
        seed: of random weights, halves and shufflings.
        revisions: candidate -> commit, tag or branch on the Hub.
        trust_remote_code: run code that comes with a candidate.
        kept: rows that are finished.
    """

    def __init__(
        self,
        data: TargetData,
        scores: Sequence[str],
        samples: Sequence[Sequence[int]],
        seed: int,
        revisions: Mapping[str, str],
        trust_remote_code: bool,
        kept: KeptScores,
    ) -> None:
        self._data = data
        self._scores = tuple(scores)
        self._samples = [tuple(sample) for sample in samples]
        self._seed = seed
        # Every row of a ranking needs the same number, so that differences are paired.
        self._draws = draws_of(self._scores[0], data.task)
        self._revisions = revisions
        self._trust = trust_remote_code
        self._kept = kept
        # Features of what each look adds, so that a later look computes no row again.
        self._parts: dict[tuple[str, Weights, int], tuple[Tables, int]] = {}

    def look(self, name: str, look: int) -> Scored:
        """Score a candidate on the sample of one look."""
        checkpoint = self._checkpoint(name)
        return self._network(checkpoint, "pretrained", look, null=False)

    def final(self, name: str) -> tuple[Scored, Scored]:
        """Score a candidate on all examples, with its null, and its twin with random weights."""
        checkpoint, look = self._checkpoint(name), len(self._samples) - 1
        pretrained = self._network(checkpoint, "pretrained", look, null=True)
        random = self._network(checkpoint, "random", look, null=False)
        self.forget([name])
        return pretrained, random

    def plain(self, name: str) -> Scored:
        """Score TF-IDF or raw pixels on all examples."""

        def make() -> Scored:
            start = time.perf_counter()
            rows = list(self._samples[-1])
            table = plain_features(self._data, most_words=MOST_WORDS)["train"][rows]
            dense = table.toarray() if self._data.task == "text-classification" else table
            row = Candidate(name, "baseline", feature_dimensions=dense.shape[1])
            return self._scored(row, [dense], len(self._samples) - 1, False, start)

        return self._kept.get([name, "baseline"], make)

    def forget(self, names: Iterable[str]) -> None:
        """Free the features of candidates that will not be scored again."""
        gone = set(names)
        self._parts = {key: part for key, part in self._parts.items() if key[0] not in gone}

    @property
    def plain_name(self) -> str:
        """Return the name of the baseline without a network."""
        return PLAIN_NAMES[self._data.task].removesuffix("-logistic")

    def _checkpoint(self, name: str) -> Checkpoint:
        return Checkpoint(name, revision=self._revisions.get(name), trust_remote_code=self._trust)

    def _network(
        self, checkpoint: Checkpoint, weights: Weights, look: int, *, null: bool
    ) -> Scored:
        name = checkpoint.name

        def make() -> Scored:
            start = time.perf_counter()
            prepared = prepare(checkpoint, self._data, ("train",))
            row = Candidate(name, weights)
            if weights == "pretrained" and look == 0:
                row = self._announced(checkpoint, prepared)
                start = time.perf_counter()
            tables, parameters = self._features(checkpoint, prepared, weights, look)
            row = replace(
                row,
                parameters=parameters,
                feature_dimensions=sum(table.shape[1] for table in tables),
                feature_seconds=time.perf_counter() - start,
            )
            return self._scored(row, tables, look, null, start)

        rows = len(self._samples[look])
        return self._kept.get([name, weights, rows, null, weights_state(checkpoint.path)], make)

    def _announced(self, checkpoint: Checkpoint, prepared: Prepared) -> Candidate:
        """Return what is known before the pass, and say how long it will take."""
        unknown = prepared.unknown_share("train")
        if unknown >= _TELLING:
            logger.info(
                "%s: %.1f%% of the tokens of train are unknown to it",
                checkpoint.name,
                100 * unknown,
            )
        prior = hub_prior(checkpoint.name, self._revisions.get(checkpoint.name))
        rows = self._samples[-1]
        expected = pass_seconds(checkpoint, self._data, prepared, rows)
        if expected is not None:
            logger.info(
                "%s: about %.1f s for features of %d examples, less where they are kept",
                checkpoint.name,
                expected,
                len(rows),
            )
        return Candidate(
            checkpoint.name,
            "pretrained",
            downloads=prior.downloads,
            declared=prior.declared,
            estimated_seconds=expected,
        )

    def _features(
        self, checkpoint: Checkpoint, prepared: Prepared, weights: Weights, look: int
    ) -> tuple[list[Table], int]:
        """Return tables [examples of the look, width] in the order of its rows, and weights."""
        parts: list[Tables] = []
        rows, parameters = [], 0
        for part in range(look + 1):
            before = set(self._samples[part - 1]) if part else set()
            new = [row for row in self._samples[part] if row not in before]
            key = (checkpoint.name, weights, part)
            if key not in self._parts:
                found = layer_features(
                    checkpoint, self._data, prepared, new, weights=weights, seed=self._seed
                )
                self._parts[key] = (found.scored(self._data.task), found.parameters)
            tables, parameters = self._parts[key]
            parts.append(tables)
            rows += new
        order = np.argsort(rows)
        # A layer that gave nothing for some of the rows is left out.
        names = [name for name in parts[0] if all(name in part for part in parts)]
        return [np.concatenate([part[name] for part in parts])[order] for name in names], parameters

    def _scored(
        self, row: Candidate, tables: Sequence[Any], look: int, null: bool, start: float
    ) -> Scored:
        every, rows = self._data.labels("train"), self._samples[look]
        labels = [every[number] for number in rows]
        found = table_scores(
            tables, labels, self._scores, draws=self._draws, seed=self._seed, null=null
        )
        done = replace(
            row,
            scores=found.scores,
            best_layer=found.best if len(tables) > 1 else {},
            null=found.null,
            examples=len(rows),
            seconds=time.perf_counter() - start,
        )
        return Scored(done, found.draws, found.best_draws)
