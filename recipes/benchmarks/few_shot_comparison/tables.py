"""The results as tables: texts beside SetFit, images over the number of labels."""

from __future__ import annotations

from statistics import fmean, median, stdev
from typing import Any

from measured.table import Table
from tuning.lines import Lines

from few_shot_comparison.settings import METHODS, PLACES, SETFIT, ZERO, Place
from hf_transfer_plugin import judge

__all__ = ["tables"]

_NAMES = {SETFIT: "SetFit"}


def tables(lines: Lines) -> list[Table]:
    """Return the tables of what was measured."""
    found = []
    for place in PLACES:
        rows = [_row(lines, place, method) for method in METHODS]
        measured = tuple(row for row in rows if row)
        if measured:
            labels = f"{place.shots} label{'s' if place.shots > 1 else ''} a class"
            title = f"{place.dataset}, {labels}, test accuracy"
            found.append(Table(title, _HEADERS, measured))
    zero = tuple(row for dataset in ZERO if (row := _zero_row(lines, dataset)))
    return [*found, Table("Zero labels, MiniLM, test accuracy", _ZERO_HEADERS, zero)]


_VARIANTS = ("class names", "texts", "templates", "even prior")
_ZERO_HEADERS = ("data", "most frequent class", *_VARIANTS)


def _zero_row(lines: Lines, dataset: str) -> tuple[str, ...]:
    keys = [(dataset, "0", variant, "0") for variant in _VARIANTS]
    if not all(key in lines for key in keys):
        return ()
    majority = lines[keys[0]]["majority"]
    return dataset, f"{majority:.3f}", *(f"{lines[key]['accuracy']:.3f}" for key in keys)


_HEADERS = (
    "method",
    "draws",
    "accuracy ± std",
    "against SetFit, paired",
    "processor seconds (median)",
    "of SetFit's time",
    "steps",
)


def _results(lines: Lines, place: Place, method: str) -> dict[int, dict[str, Any]]:
    keys = {draw: (place.dataset, str(place.shots), method, str(draw)) for draw in range(99)}
    return {draw: lines[key] for draw, key in keys.items() if key in lines}


def _row(lines: Lines, place: Place, method: str) -> tuple[str, ...]:
    found = _results(lines, place, method)
    if not found:
        return ()
    scores = [each["accuracy"] for each in found.values()]
    spread = f" ± {stdev(scores):.3f}" if len(scores) > 1 else ""
    seconds = median(each["cpu_seconds"] for each in found.values())
    other = _results(lines, place, SETFIT)
    shared = sorted(found.keys() & other.keys()) if method != SETFIT else []
    against = share = "–"
    if len(shared) > 1:
        verdict = judge(
            [found[draw]["accuracy"] for draw in shared],
            [other[draw]["accuracy"] for draw in shared],
            baseline=SETFIT,
        )
        bounds = f"[{verdict.lower:+.3f}, {verdict.upper:+.3f}]"
        against = f"{verdict.difference:+.3f} {bounds}, {verdict.outcome} ({len(shared)} draws)"
    if shared:
        parts = [found[draw]["cpu_seconds"] / other[draw]["cpu_seconds"] for draw in shared]
        share = f"{median(parts):.2f}"
    steps = f"{fmean(each['steps'] for each in found.values()):.0f}"
    return (
        _NAMES.get(method, method),
        str(len(scores)),
        f"{fmean(scores):.3f}{spread}",
        against,
        f"{seconds:.1f}",
        share,
        steps,
    )
