"""The looks of a ranking, one after the other: who is still in it, and who is the best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, TypeVar

from hf_transfer_plugin.errors import TransferError
from hf_transfer_plugin.records import Candidate
from hf_transfer_plugin.select.halving import survivors
from hf_transfer_plugin.select.kept_scores import Scored
from hf_transfer_plugin.select.resampling import confidence_set, leads
from hf_transfer_plugin.select.row_scoring import RowScorer
from hf_transfer_plugin.select.spreading import spread

__all__ = ["RankingInTheMaking"]

_Value = TypeVar("_Value")
_AGAINST: Mapping[int, Literal["beaten", "level", "ahead"]] = MappingProxyType(
    {1: "beaten", 0: "level", -1: "ahead"}
)


class RankingInTheMaking:
    """A ranking in the making: who is still in it, what it cost, who failed.

    Args:
        scorer: makes rows.
        names: of the candidates.
        score: the one that orders.
        confidence: of one look.
    """

    def __init__(
        self, scorer: RowScorer, names: Sequence[str], score: str, confidence: float
    ) -> None:
        self._scorer = scorer
        self._score = score
        self._confidence = confidence
        self._alive = list(names)
        self._dropped: list[Candidate] = []
        self._errors: dict[str, TransferError] = {}
        self._first: dict[str, Candidate] = {}
        self._spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def halve(self, look: int) -> None:
        """Score everybody who is left on the sample of a look, and drop the worse."""
        if len(self._alive) < 2 and look > 0:
            return
        outcomes = spread(self._alive, lambda name: self._scorer.look(name, look))
        found = self._good(outcomes)
        rows = [self._counted(row.candidate) for row in found]
        full = [row.scores[self._score] for row in rows]
        draws = [row.draws for row in found]
        kept = survivors(full, draws, self._confidence)
        ends = confidence_set(draws, full, self._confidence)
        dropped = [
            replace(row, interval=(ends.lower[number], ends.upper[number]))
            for number, row in enumerate(rows)
            if number not in kept
        ]
        dropped.sort(key=lambda row: -row.scores[self._score])
        self._dropped = dropped + self._dropped
        self._alive = [rows[number].checkpoint for number in kept]
        self._scorer.forget(row.checkpoint for row in dropped)

    def finish(self) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...], tuple[str, ...]]:
        """Score those who are left on everything.

        Returns:
            Candidates with a score, best first; baselines; names in the confidence set.
        """
        outcomes = spread(self._alive, self._scorer.final)
        pairs = self._good(outcomes)
        (plain,) = spread([self._scorer.plain_name], self._scorer.plain)
        if isinstance(plain, TransferError):
            raise plain
        networks = [pretrained for pretrained, _ in pairs]
        others = [*(random for _, random in pairs), plain]
        every = [*networks, *others]
        full = [row.candidate.scores[self._score] for row in every]
        draws = [row.draws for row in every]
        ends = confidence_set(draws, full, self._confidence)
        rows = [
            replace(self._counted(row.candidate), interval=(ends.lower[place], ends.upper[place]))
            for place, row in enumerate(every)
        ]
        count = len(networks)
        members = confidence_set(draws[:count], full[:count], self._confidence).members
        ranked = sorted(range(count), key=lambda place: -full[place])
        relations = self._against(networks, others, ranked[0])
        baselines = [
            replace(row, against_best=relation)
            for row, relation in zip(rows[count:], relations, strict=True)
        ]
        candidates = (*(rows[place] for place in ranked), *self._dropped)
        chosen = tuple(rows[place].checkpoint for place in members)
        return candidates, tuple(baselines), chosen

    def _against(
        self, networks: Sequence[Scored], others: Sequence[Scored], first: int
    ) -> list[Literal["beaten", "level", "ahead"]]:
        """Tell how each baseline does against the first candidate, beyond the noise of all pairs.

        Each network takes part twice, with all layers and with its best one (`Candidate.against`).
        """
        count, baselines = len(networks), range(2 * len(networks), 2 * len(networks) + len(others))
        plain = others[-1].candidate
        full = [
            *(row.candidate.scores[self._score] for row in networks),
            *(row.candidate.against(plain, self._score) for row in networks),
            *(row.candidate.scores[self._score] for row in others),
        ]
        draws = [
            *(row.draws for row in networks),
            *(row.best_draws for row in networks),
            *(row.draws for row in others),
        ]
        found = leads(draws, full, range(2 * count), baselines, self._confidence)
        places = [first + (count if row.candidate is plain else 0) for row in others]
        return [_AGAINST[int(found[place, number])] for number, place in enumerate(places)]

    def failed(self) -> list[Candidate]:
        """Return those that could not be scored."""
        return [
            Candidate(name, "pretrained", error=str(error)) for name, error in self._errors.items()
        ]

    def _counted(self, row: Candidate) -> Candidate:
        """Return a row with what all of its looks took, and what the first one found out."""
        if row.kind != "pretrained":
            return row
        first = self._first.setdefault(row.checkpoint, row)
        spent = self._spent[row.checkpoint]
        spent[0] += row.seconds
        spent[1] += row.feature_seconds or 0.0
        return replace(
            row,
            seconds=spent[0],
            feature_seconds=spent[1],
            downloads=first.downloads,
            declared=first.declared,
            estimated_seconds=first.estimated_seconds,
        )

    def _good(self, outcomes: Sequence[_Value | TransferError]) -> list[_Value]:
        """Note errors and return the rest; the last error is raised when there is no rest."""
        for name, outcome in zip(self._alive, outcomes, strict=True):
            if isinstance(outcome, TransferError):
                self._errors[name] = outcome
        good = [outcome for outcome in outcomes if not isinstance(outcome, TransferError)]
        if not good:
            raise list(self._errors.values())[-1]
        return good
