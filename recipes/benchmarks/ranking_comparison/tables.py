"""Results as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from measured.table import Table
from tuning.lines import Lines
from tuning.source import KINDS

from ranking_comparison.goals import goals
from ranking_comparison.plan import CANDIDATES
from ranking_comparison.quality import Quality, within_noise
from ranking_comparison.reading import Measured, gathered, seed_deviation
from ranking_comparison.summary import Covered, best_pairs, covered, orders_of, tuned_again

__all__ = ["tables"]

_PAIRS_SHOWN = 3


def tables(lines: Lines) -> list[Table]:
    """Return accuracies, agreement and goals; nothing while no target is complete."""
    found = gathered(lines)
    deviation, _ = seed_deviation(lines)
    shown = []
    for kind in KINDS:
        rows = [each for each in found if each.kind == kind]
        if rows:
            shown += [_accuracies(rows, deviation), _taus(rows), _agreement(kind, rows, deviation)]
    return [*shown, goals(lines)] if shown else []


def _accuracies(found: Sequence[Measured], deviation: float) -> Table:
    names = [name for name in CANDIDATES if any(name in each.names for each in found)]
    rows = []
    for each in found:
        near = within_noise(each.hits, deviation)
        cells = []
        for name in names:
            if name not in each.names:
                cells.append("-")
                continue
            number = each.names.index(name)
            cells.append(f"{100 * each.accuracies[number]:.1f}{'*' if near[number] else ''}")
        rows.append((each.target, *cells))
    title = "Accuracy after fine-tuning, %; * cannot be told from the best; - not counted"
    return Table(title, (found[0].kind, *names), tuple(rows))


def _taus(found: Sequence[Measured]) -> Table:
    orders = orders_of(found)
    rows = [
        (each.target, *(f"{qualities[number].tau:.2f}" for qualities in orders.values()))
        for number, each in enumerate(found)
    ]
    return Table("Weighted Kendall tau of each order", (found[0].kind, *orders), tuple(rows))


def _agreement(kind: str, found: Sequence[Measured], deviation: float) -> Table:
    rows = [
        _row(order, qualities, covered(found, order, deviation))
        for order, qualities in orders_of(found).items()
    ]
    again = tuned_again(found)
    if again:
        rows.append(_row("fine-tuned once more, with another seed", again, None))
    chosen = [
        _row(f"{name} (mean rank, chosen after seeing the results)", qualities, None)
        for name, qualities in best_pairs(found)[:_PAIRS_SHOWN]
    ]
    return Table(
        f"Agreement with fine-tuning: {kind}, {len(found)} targets",
        (
            "order",
            "tau, mean",
            "tau, lowest",
            "regret, mean",
            "regret, largest",
            "90 % set holds the best",
            "one level with it",
            "all level with it",
            "set / candidates",
        ),
        (*rows, *chosen),
    )


def _row(name: str, qualities: Sequence[Quality], sets: Covered | None) -> tuple[str, ...]:
    taus = [each.tau for each in qualities]
    regrets = [each.regret for each in qualities]
    cells: tuple[str, ...] = ("-",) * 4
    if sets is not None:
        shares = (sets.best, sets.level, sets.all_level)
        cells = (*(f"{share}/{sets.targets}" for share in shares), f"{100 * sets.size:.0f} %")
    return (
        name,
        f"{np.mean(taus):.3f}",
        f"{min(taus):.2f}",
        f"{np.mean(regrets):.2f}",
        f"{max(regrets):.2f}",
        *cells,
    )
