"""What a verdict costs when seeds are added until it stands, against all seeds at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from hf_transfer_plugin import planned_look
from hf_transfer_plugin.records import Outcome
from negative_transfer_comparison.judged import MARGIN, JudgedPair, verdict_of

__all__ = ["Cost", "Stop", "at_looks", "cost_of", "fixed", "until_settled"]


class Decision(Protocol):
    """What is known when no further seed is trained."""

    @property
    def outcome(self) -> Outcome: ...

    @property
    def lower(self) -> float: ...


#: Pair -> paired seeds that were trained, and what is decided then.
Stop = Callable[[JudgedPair], tuple[int, Decision]]


@dataclass(frozen=True)
class Cost:
    """How one way to a verdict compares with all seeds at once; shares of the pairs.

    Attributes:
        share: of the paired seeds of the full protocol, mean.
        same: the same outcome.
        same_go: the same `go`.
        opposite: helped where all seeds say harmed, or the reverse.
    """

    share: float
    same: float
    same_go: float
    opposite: float


def cost_of(stop: Stop, pairs: Sequence[JudgedPair]) -> Cost:
    """Return what a way to a verdict costs, and how often it decides as all seeds do."""
    found = [stop(each) for each in pairs]
    both = [(early, each.verdict) for (_, early), each in zip(found, pairs, strict=True)]
    return Cost(
        fmean(used / each.verdict.seeds for (used, _), each in zip(found, pairs, strict=True)),
        fmean(early.outcome == full.outcome for early, full in both),
        fmean((early.lower > -MARGIN) == full.go for early, full in both),
        fmean(early.outcome == _OPPOSITE.get(full.outcome) for early, full in both),
    )


_OPPOSITE: dict[Outcome, Outcome] = {"helped": "harmed", "harmed": "helped"}


def fixed(seeds: int) -> Stop:
    """Return the verdict of the first seeds, judged once."""

    def stop(pair: JudgedPair) -> tuple[int, Decision]:
        return seeds, verdict_of(pair.transfer[:seeds], pair.control[:seeds])

    return stop


def until_settled(first: int) -> Stop:
    """Return a look after every seed from the first one on, with the anytime-valid interval."""

    def stop(pair: JudgedPair) -> tuple[int, Decision]:
        for seeds in range(first, pair.verdict.seeds + 1):
            sides = pair.transfer[:seeds], pair.control[:seeds]
            verdict = verdict_of(*sides, sequential=True)
            if verdict.outcome != "inconclusive":
                break
        return seeds, verdict

    return stop


def at_looks(*looks: int) -> Stop:
    """Return looks at planned numbers of seeds, stopped when settled or futile."""

    def stop(pair: JudgedPair) -> tuple[int, Decision]:
        sides = zip(pair.transfer, pair.control, strict=True)
        differences = [transfer.test - control.test for transfer, control in sides]
        for seeds in looks:
            look = planned_look(differences[:seeds], looks, margin=MARGIN)
            if look.stop:
                break
        return seeds, look

    return stop
