"""What a ranking is held to, and whether a results file says that it was reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from measured.table import Table

from ranking_comparison.lines import Lines
from ranking_comparison.plan import KINDS, ORDERING
from ranking_comparison.reading import Measured, gathered, seed_deviation
from ranking_comparison.summary import ELSEWHERE, covered, orders_of

__all__ = ["goals"]

_TAU = 0.75
_COVERAGE = 90.0
_REGRET = 1.0
_OWN = "the default"


def goals(lines: Lines) -> Table:
    """Return each goal of the default order that the results can speak about."""
    found = [_with_default(each) for each in gathered(lines)]
    deviation, _ = seed_deviation(lines)
    rows: list[tuple[str, ...]] = []
    for kind in KINDS:
        of_kind = [each for each in found if each.kind == kind]
        if of_kind:
            rows += _of(kind, of_kind, deviation)
    if len({each.kind for each in found}) > 1:
        rows += _of("both", found, deviation)
    title = (
        f"Goals of the default order: {ORDERING['text']} of texts, {ORDERING['images']} of images"
    )
    return Table(title, ("data", "what", "goal", "measured", ""), tuple(rows))


def _with_default(each: Measured) -> Measured:
    """Return a target whose default order has the same name whatever its kind."""
    own = ORDERING[each.kind]
    sets = {**each.sets, _OWN: each.sets[own]} if own in each.sets else each.sets
    return replace(each, orders={**each.orders, _OWN: each.orders[own]}, sets=sets)


def _of(kind: str, found: Sequence[Measured], deviation: float) -> Iterator[tuple[str, ...]]:
    orders = orders_of(found)
    taus = {name: float(np.mean([each.tau for each in row])) for name, row in orders.items()}
    yield _row(kind, "mean weighted tau", "at least", _TAU, taus[_OWN], ".3f")
    for other, tau in taus.items():
        if other in ("parameters", ELSEWHERE) or other.startswith("TransformerRanker"):
            yield _row(kind, f"the same, {other}", "above", tau, taus[_OWN], ".3f")
    regret = float(np.mean([each.regret for each in orders[_OWN]]))
    yield _row(kind, "mean regret of the first, points", "at most", _REGRET, regret, ".2f")
    sets = covered(found, _OWN, deviation)
    if sets is not None:
        for what, count in (("the best", sets.best), ("one level with the best", sets.level)):
            share = 100.0 * count / sets.targets
            yield _row(kind, f"90 % set holds {what}, %", "at least", _COVERAGE, share, ".0f")


def _row(kind: str, what: str, side: str, goal: float, value: float, form: str) -> tuple[str, ...]:
    met = {"at least": value >= goal, "above": value > goal, "at most": value <= goal}[side]
    bound = f"{side} {goal:{form}}"
    return kind, what, bound, f"{value:{form}}", "met" if met else "missed"
