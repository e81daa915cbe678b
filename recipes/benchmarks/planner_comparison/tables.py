"""What the planner lost against recipes picked by hand, and what both took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from how_comparison.places import Place
from how_comparison.ways import Method, adapter_ways, objective_ways
from measured.table import Table
from tuning.lines import Lines

from planner_comparison.by_hand import ways_by_hand
from planner_comparison.picks import RULE, WITH_PILOT, by_rules, key_of
from planner_comparison.places import HELD_OUT, MADE_ON, held_out_places
from planner_comparison.regret import Regret, regrets

__all__ = ["tables"]

_RESULTS = Path(__file__).parents[1] / "results"


def tables(lines: Lines) -> list[Table]:
    """Return the rules where they were made, both picks on other sets, and the costs."""
    made_on = regrets({place: by_rules(place) for place in MADE_ON}, _earlier())
    ours = [(lines, ways_by_hand())]
    found = {how: regrets(_picks(lines, how), ours) for how in (RULE, WITH_PILOT)}
    made = [_losses("rules alone, on the sets that they were made on", made_on)]
    made += [_losses(f"{how}, on other sets", some) for how, some in found.items() if some]
    return made + ([_costs(found[WITH_PILOT])] if found[WITH_PILOT] else [])


def _earlier() -> list[tuple[Lines, Mapping[str, Method]]]:
    """Return the committed results of ways by hand, each with its ways."""
    ways = {
        "adapters": adapter_ways,
        "adapters_few_rows": adapter_ways,
        "objectives": objective_ways,
    }
    return [(Lines(_RESULTS / f"{name}.jsonl"), made()) for name, made in ways.items()]


def _picks(lines: Lines, how: str) -> dict[Place, Mapping[str, Any]]:
    places = held_out_places(HELD_OUT)
    return {place: lines[key_of(place, how)] for place in places if key_of(place, how) in lines}


def _losses(title: str, found: Sequence[Regret]) -> Table:
    rows = [_row(each) for each in found]
    behind = (fmean(each.to_best for each in found), fmean(each.to_chosen for each in found))
    rows.append(("mean", "", "", "", "", "", *(f"{value:+.1f}" for value in behind), ""))
    headers = ("data", "rows", "classes", "picks", "test", "best by hand")
    more = ("behind the best", "behind the choice by hand", "seeds")
    return Table(f"The planner, {title}", (*headers, *more), tuple(rows))


def _row(each: Regret) -> tuple[str, ...]:
    pick = each.pick
    return (
        each.place.dataset,
        str(pick["rows"]),
        str(pick["classes"]),
        f"{pick['way']}, {pick['rate']:g}",
        f"{100 * each.planner:.1f}",
        f"{each.best[0]} {100 * each.best[1]:.1f}",
        f"{each.to_best:+.1f}",
        f"{each.to_chosen:+.1f}",
        str(each.seeds),
    )


def _costs(found: Sequence[Regret]) -> Table:
    rows = tuple(
        (
            each.place.dataset,
            f"{each.pick['examples']:,}",
            f"{each.pick['seconds']:.0f}",
            f"{each.by_hand[0]:,}",
            f"{each.by_hand[1]:.0f}",
            f"{each.pick['examples'] / each.by_hand[0]:.2f}",
        )
        for each in found
    )
    headers = ("data", "pilot, rows seen", "pilot, s", "by hand, rows seen", "by hand, s", "share")
    return Table("Cost of the choice", headers, rows)
