"""The looks of a ranking, one after the other: who is still in it, and who is the best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeVar

from hf_transfer_plugin.errors import TransferError
from hf_transfer_plugin.records import Candidate, Forecast
from hf_transfer_plugin.select.forecasting import forecast_pairs, own_forecasts
from hf_transfer_plugin.select.halving import survivors
from hf_transfer_plugin.select.resampling import confidence_set
from hf_transfer_plugin.select.row_scoring import RowScorer
from hf_transfer_plugin.select.spreading import spread

__all__ = ["Finished", "RankingInTheMaking"]

_Value = TypeVar("_Value")
_AGAINST: Mapping[str, Literal["beaten", "level", "ahead"]] = MappingProxyType(
    {"help": "beaten", "none": "level", "harm": "ahead"}
)


@dataclass(frozen=True)
class Finished:
    """What the last look found.

    Attributes:
        candidates: those with a score, best first.
        baselines: with how they do against the first candidate.
        chosen: names in the confidence set.
        forecasts: of the candidates that reached the last look.
    """

    candidates: tuple[Candidate, ...]
    baselines: tuple[Candidate, ...]
    chosen: tuple[str, ...]
    forecasts: tuple[Forecast, ...]


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

    def finish(self) -> Finished:
        """Score those who are left on everything."""
        outcomes = spread(self._alive, self._scorer.final)
        scored = self._good(outcomes)
        (plain,) = spread([self._scorer.plain_name], self._scorer.plain)
        if isinstance(plain, TransferError):
            raise plain
        networks = [pretrained for pretrained, _ in scored]
        others = [*(random for _, random in scored), plain]
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
        pairs = forecast_pairs(networks, others, self._score, self._confidence)
        baselines = [
            replace(row, against_best=_AGAINST[forecast.expected])
            for row, forecast in zip(rows[count:], pairs[ranked[0]], strict=True)
        ]
        candidates = (*(rows[place] for place in ranked), *self._dropped)
        chosen = tuple(rows[place].checkpoint for place in members)
        return Finished(
            candidates, tuple(baselines), chosen, own_forecasts(pairs, baselines, ranked)
        )

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
