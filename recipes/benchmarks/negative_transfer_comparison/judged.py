"""Lines of a results file as judged pairs, each with its forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.lines import Lines

from hf_transfer_plugin import judge
from hf_transfer_plugin.decide.alarm_rules import Evaluated
from hf_transfer_plugin.records import Outcome, Verdict
from negative_transfer_comparison.choosing import chosen_rate
from negative_transfer_comparison.curves import evaluated
from negative_transfer_comparison.plan import SOURCES, Place, counted

__all__ = ["MARGIN", "JudgedPair", "Trained", "judged_pairs", "verdict_of"]

MARGIN = 0.01
_FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Foretold:
    """One forecast: the difference of scores, half the width of its interval, and the word."""

    difference: float
    half_width: float
    expected: str


@dataclass(frozen=True)
class Trained:
    """One side of a pair with one seed, at the rate that the side chose.

    Attributes:
        test: accuracy.
        curve: what the callback saw on the validation rows.
    """

    test: float
    curve: tuple[Evaluated, ...]


@dataclass(frozen=True)
class JudgedPair:
    """A source and a target in a size, after training.

    Attributes:
        place: target and rows.
        source: a key of SOURCES.
        transfer, control: in the order of the paired seeds.
        verdict: source against the same architecture from scratch, over paired seeds.
        forecasts: baseline -> what was forecast; empty where nothing was ranked.
    """

    place: Place
    source: str
    transfer: tuple[Trained, ...]
    control: tuple[Trained, ...]
    verdict: Verdict
    forecasts: dict[str, Foretold]

    @property
    def outcome(self) -> Outcome:
        """Return what training found."""
        return self.verdict.outcome


def judged_pairs(lines: Lines) -> list[JudgedPair]:
    """Return the pairs whose two sides share at least two seeds."""
    trained: dict[tuple[str, int], list[str]] = {}
    for key in lines:
        if key[0] == "training":
            trained.setdefault((key[1], int(key[2])), []).append(key[3])
    found = []
    for (target, rows), arms in trained.items():
        place = Place(target, rows, counted(target, [name for name in SOURCES if name in arms]))
        for source in place.sources:
            control = _trained(place, place.control(source), lines)
            transfer = _trained(place, source, lines)
            seeds = sorted(control.keys() & transfer.keys())
            if len(seeds) >= _FEWEST_SEEDS:
                sides = tuple(transfer[seed] for seed in seeds), tuple(control[s] for s in seeds)
                foretold = _forecasts(place, source, lines)
                found.append(JudgedPair(place, source, *sides, verdict_of(*sides), foretold))
    return found


def verdict_of(
    transfer: Sequence[Trained], control: Sequence[Trained], *, sequential: bool = False
) -> Verdict:
    """Judge paired trainings, in the order of their seeds."""
    return judge(
        [each.test for each in transfer],
        [each.test for each in control],
        margin=MARGIN,
        baseline="from scratch",
        sequential=sequential,
    )


def _trained(place: Place, arm: str, lines: Lines) -> dict[int, Trained]:
    """Return what an arm gave with each seed at the rate that it chose."""
    rate = chosen_rate(place, arm, lines, lines.environment["rates"][place.kind])
    if rate is None:
        return {}
    chosen = place.key(arm, rate, 0)[:-1]
    return {
        int(key[-1]): Trained(lines[key]["test"], tuple(evaluated(lines[key]["curve"])))
        for key in lines
        if key[:-1] == chosen
    }


def _forecasts(place: Place, source: str, lines: Lines) -> dict[str, Foretold]:
    if place.forecast_key not in lines:
        return {}
    found = lines[place.forecast_key]["forecasts"].get(source, {})
    return {
        baseline: Foretold(
            each["difference"], (each["upper"] - each["lower"]) / 2, each["expected"]
        )
        for baseline, each in found.items()
    }
