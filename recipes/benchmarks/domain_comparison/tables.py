"""What each way gave, how it compares with the source alone and with the bar, and the goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from how_comparison.judged import MARGIN, spoken
from measured.table import Table
from tuning.lines import Lines

from domain_comparison.arms import Arm, arms_of
from domain_comparison.places import GROUPS, Place
from domain_comparison.ways import BAR, SOURCE_ONLY, ways
from hf_transfer_plugin import judge, judge_all

__all__ = ["tables"]

#: Group -> mean test accuracy to reach, or points above the source alone.
_GOALS: Mapping[str, tuple[str, float]] = {
    "pacs": ("mean accuracy", 0.65),
    "pacs_224": ("mean accuracy", 0.65),
    "digits": ("points over source only", 0.15),
    "blitzer_amazon": ("points over source only", 0.015),
}
_FEWEST_SEEDS = 2
_FEWEST_PAIRS = 4


@dataclass(frozen=True)
class _Found:
    """Results of a file under one criterion: (place, way) -> test accuracies, first seed first."""

    choose_by: str
    scores: Mapping[tuple[Place, str], Sequence[float]]
    arms: Mapping[tuple[Place, str], Arm]

    @property
    def places(self) -> list[Place]:
        """Return the pairs at which something was chosen: the bar alone asks for no choice."""
        return list(dict.fromkeys(place for place, way in self.scores if way != BAR))

    def of(self, place: Place, way: str, seeds: int) -> list[float]:
        """Return scores of the first seeds; the bar has the same with each."""
        found = self.scores[place, way]
        return list(found) * seeds if way == BAR else list(found[:seeds])


def tables(lines: Lines) -> list[Table]:
    """Return accuracies and comparisons of each group and criterion, harm, and goals."""
    made = []
    for found in _found(lines):
        groups = [name for name in GROUPS if any(p.group == name for p in found.places)]
        for group in groups:
            places = [place for place in found.places if place.group == group]
            made.append(_accuracies(found, group, places))
            made += [_against(found, group, places, other) for other in (SOURCE_ONLY, BAR)]
            if len(GROUPS[group].pairs) >= _FEWEST_PAIRS:
                made.append(_over_pairs(found, group, places))
        made += [_harm(found), _goals(found, groups)]
    return [table for table in made if table.rows]


def _found(lines: Lines) -> list[_Found]:
    keys = [key for key in lines if key[0] == "training"]
    places = {Place(key[1], key[2], key[3], int(key[4])): None for key in keys}
    order = {place: index for index, place in enumerate(sorted(places, key=_order))}
    found = []
    for choose_by in dict.fromkeys(key[6] for key in keys if key[5] != BAR):
        scores, arms = {}, {}
        for arm in arms_of(sorted(places, key=order.__getitem__), ways().values(), choose_by):
            results: Mapping[int, Any] = arm.results(lines)
            if results:
                name = (arm.place, arm.way.name)
                scores[name] = [float(results[seed]["test"]) for seed in sorted(results)]
                arms[name] = arm
        found.append(_Found(choose_by, scores, arms))
    return found


def _order(place: Place) -> tuple[int, int]:
    pairs = place.of.pairs
    return list(GROUPS).index(place.group), pairs.index((place.source, place.target))


def _accuracies(found: _Found, group: str, places: list[Place]) -> Table:
    rows = []
    for way in ways():
        scores = [found.scores.get((place, way)) for place in places]
        if not any(scores):
            continue
        cells = ["-" if each is None else _spread(each) for each in scores]
        means = [fmean(each) for each in scores if each is not None]
        whole = len(means) == len(GROUPS[group].pairs)
        mean = f"{100 * fmean(means):.1f}" if whole else "-"
        rows.append((way, *cells, mean, "-" if way == BAR else _counts(scores)))
    steps = ", ".join(sorted({str(place.steps) for place in places}))
    title = (
        f"{group}: test accuracy on the target, {steps} steps, epoch chosen by {found.choose_by}"
    )
    return Table(title, ("way", *(p.label for p in places), "mean", "seeds"), tuple(rows))


def _counts(scores: Sequence[Sequence[float] | None]) -> str:
    counts = {len(each) for each in scores if each is not None}
    return str(max(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def _spread(scores: Sequence[float]) -> str:
    spread = f" ± {100 * stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{100 * fmean(scores):.1f}{spread}"


def _against(found: _Found, group: str, places: list[Place], other: str) -> Table:
    """Return differences; a star marks those that hold when all ways of a pair are judged."""
    names = [way for way in ways() if way != other]
    cells: dict[tuple[str, Place], str] = {}
    for place in places:
        pairs = {way: _paired(found, place, way, other) for way in names}
        sure = _sure(list(pairs.items()))
        for way, pair in pairs.items():
            if pair is not None:
                verdict = judge(*pair, margin=MARGIN, baseline=other)
                cells[way, place] = spoken(verdict) + (" *" if way in sure else "")
    rows = [
        (way, *(cells.get((way, place), "-") for place in places))
        for way in names
        if any((way, place) in cells for place in places)
    ]
    title = f"{group}: points against {other}, epoch chosen by {found.choose_by}"
    return Table(title, ("way", *(place.label for place in places)), tuple(rows))


def _paired(
    found: _Found, place: Place, way: str, other: str
) -> tuple[list[float], list[float]] | None:
    pair = _shared(found, place, way, other)
    return pair if pair is not None and len(pair[0]) >= _FEWEST_SEEDS else None


def _shared(
    found: _Found, place: Place, way: str, other: str
) -> tuple[list[float], list[float]] | None:
    """Return the scores of two ways at a pair, over the seeds that both have there."""
    if (place, way) not in found.scores or (place, other) not in found.scores:
        return None
    seeds = min(len(found.scores[place, name]) for name in (way, other) if name != BAR)
    return found.of(place, way, seeds), found.of(place, other, seeds)


def _sure(pairs: list[tuple[str, tuple[list[float], list[float]] | None]]) -> set[str]:
    """Return the ways whose word holds when all are judged together (Holm's correction)."""
    known = [(way, pair) for way, pair in pairs if pair is not None]
    most = max((len(pair[1]) for _, pair in known), default=0)
    whole = [(way, pair) for way, pair in known if len(pair[0]) == most]
    if not whole:
        return set()
    verdicts = judge_all([pair[0] for _, pair in whole], whole[0][1][1], margin=MARGIN)
    return {
        way
        for (way, _), verdict in zip(whole, verdicts, strict=True)
        if verdict.outcome in ("helped", "harmed")
    }


def _over_pairs(found: _Found, group: str, places: list[Place]) -> Table:
    """Return differences of the means of all pairs; what varies is the pair, not the seed."""
    columns = (SOURCE_ONLY, BAR)
    rows = []
    for way in ways():
        means = {other: _means(found, places, way, other) for other in columns if other != way}
        if any(means.values()):
            rows.append((way, *(_over(means.get(other), other) for other in columns)))
    title = f"{group}: points over all pairs with their interval, epoch chosen by {found.choose_by}"
    return Table(title, ("way", *(f"against {other}" for other in columns)), tuple(rows))


def _over(means: tuple[list[float], list[float]] | None, other: str) -> str:
    return "-" if means is None else spoken(judge(*means, margin=MARGIN, baseline=other))


def _means(
    found: _Found, places: list[Place], way: str, other: str
) -> tuple[list[float], list[float]] | None:
    """Return the means of two ways at each pair, over the seeds that both have there.

    None unless both have all pairs of the group.
    """
    pairs = [_shared(found, place, way, other) for place in places]
    known = [pair for pair in pairs if pair is not None]
    if len(known) < len(places[0].of.pairs):
        return None
    return [fmean(ours) for ours, _ in known], [fmean(theirs) for _, theirs in known]


def _harm(found: _Found) -> Table:
    """Return where a way is judged worse than the source alone."""
    rows = []
    for place, way in found.scores:
        pair = _paired(found, place, way, SOURCE_ONLY) if way != SOURCE_ONLY else None
        if pair is None:
            continue
        verdict = judge(*pair, margin=MARGIN, baseline=SOURCE_ONLY)
        if verdict.outcome == "harmed":
            rows.append((place.group, place.label, way, spoken(verdict)))
    title = f"harm against {SOURCE_ONLY}, epoch chosen by {found.choose_by}"
    return Table(title, ("group", "pair", "way", "points"), tuple(rows))


def _goals(found: _Found, groups: list[str]) -> Table:
    """Return each way to adapt that has all pairs of a group, against the goal of that group."""
    rows = []
    for group in groups:
        places = [place for place in found.places if place.group == group]
        what, goal = _GOALS[group]
        for way in [each.name for each in ways().values() if each.adapts]:
            means = _means(found, places, way, SOURCE_ONLY)
            if means is None:
                continue
            mean, plain = (fmean(each) for each in means)
            value = mean if what == "mean accuracy" else mean - plain
            met = "yes" if value >= goal else "no"
            rows.append((group, way, what, f"{100 * value:.1f}", f"{100 * goal:.1f}", met))
    title = f"goals, over all pairs of a group, epoch chosen by {found.choose_by}"
    return Table(title, ("group", "way", "what", "reached", "goal", "met"), tuple(rows))
