"""What objectives gave on few and on many rows, and whether the goal was met."""

from __future__ import annotations

from measured.table import Table
from tuning.lines import Lines

from hf_transfer_plugin import judge_all
from how_comparison.judged import MARGIN, Judged, judged, spoken
from how_comparison.places import Place
from how_comparison.ways import PLAIN, objective_ways

__all__ = ["tables"]

_FEW = 15
_GAIN = 0.015


def tables(lines: Lines) -> list[Table]:
    """Return a table for each data set, and one of goals."""
    found = judged(lines, objective_ways)
    datasets = dict.fromkeys(place.dataset for place in found)
    made = [_differences(name, found) for name in datasets]
    return [*made, _goals(found)] if found else []


def _differences(dataset: str, found: dict[Place, list[Judged]]) -> Table:
    places = sorted((place for place in found if place.dataset == dataset), key=lambda p: p.share)
    by_place = {place: {each.arm.way.name: each for each in found[place]} for place in places}
    sure = {place: _sure(found[place]) for place in places}
    names = [name for name in objective_ways() if any(name in arms for arms in by_place.values())]
    rows = []
    for name in names:
        row = [name]
        for place in places:
            each = by_place[place].get(name)
            row.append("-" if each is None else _cell(each, name in sure[place]))
        rows.append(tuple(row))
    headers = ("way", *(f"{place.share} %" for place in places))
    title = f"{dataset}, {places[0].steps} steps: test accuracy of {PLAIN}, differences from it"
    return Table(title, headers, tuple(rows))


def _cell(each: Judged, sure: bool) -> str:
    if each.arm.way.name == PLAIN:
        return each.accuracy
    mark = " *" if sure else ""
    strength = f" (x {each.chosen.strength:g})" if each.arm.way.objective else ""
    return f"{spoken(each.verdict)}{mark}{strength}"


def _sure(arms: list[Judged]) -> set[str]:
    """Return the objectives whose word holds when all of a place are judged together (Holm)."""
    plain = max((each.plain for each in arms), key=len)
    whole = [each for each in arms if each.verdict is not None and len(each.scores) == len(plain)]
    if not whole:
        return set()
    verdicts = judge_all([each.scores for each in whole], plain, margin=MARGIN)
    return {
        each.arm.way.name
        for each, verdict in zip(whole, verdicts, strict=True)
        if verdict.outcome in ("helped", "harmed")
    }


def _goals(found: dict[Place, list[Judged]]) -> Table:
    rows = []
    for place, arms in found.items():
        others = [each for each in arms if each.verdict is not None and each.arm.way.objective]
        if place.share != _FEW or not others:
            continue
        best = max(others, key=lambda each: each.validation)
        verdict = best.verdict
        assert verdict is not None
        met = verdict.difference >= _GAIN and verdict.lower > 0
        rows.append((place.dataset, best.arm.way.name, spoken(verdict), "yes" if met else "no"))
    headers = ("data", "best on validation", "against full, on test", "1.5 points, above 0")
    return Table(f"{_FEW} % of the rows, the objective that validation chose", headers, tuple(rows))
