"""Results as tables: the callback while a pair trains, the cost of a verdict, and the rescues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isnan

from measured.table import Table
from tuning.lines import Lines

from negative_transfer_comparison.costs import Stop, at_looks, cost_of, fixed, until_settled
from negative_transfer_comparison.during import PATIENCE, SHARES, heard_at
from negative_transfer_comparison.judged import MARGIN, JudgedPair
from negative_transfer_comparison.rescued import RescuedPair, rescued_pairs

__all__ = ["costs_table", "during_table", "rescue_tables", "share_of"]


def during_table(kind: str, pairs: Sequence[JudgedPair]) -> Table:
    """Return what one seed's curve says of the truth at shares of its training."""
    heads = (
        "share of training",
        "AUROC, helped against harmed",
        "AUROC, sign of the mean difference",
        "pairs with an alarm",
        "alarms of pairs that harmed",
        "alarms of pairs that helped",
        "harmed pairs with an alarm",
    )
    found = {share: heard_at(share, pairs) for share in SHARES}
    rows = tuple(
        (
            f"{share:.0%}",
            *map(
                share_of,
                (each.order, each.sign, each.alarms, each.precision, each.helped, each.recall),
            ),
        )
        for share, each in found.items()
    )
    title = (
        f"The callback against the control's curve, one seed at a time, patience {PATIENCE}, "
        f"{len(pairs)} pairs: {kind}"
    )
    return Table(title, heads, rows)


def costs_table(kind: str, pairs: Sequence[JudgedPair]) -> Table:
    """Return what ways to a verdict cost, and how often they decide as all seeds do."""
    seeds = min(each.verdict.seeds for each in pairs)
    ways: dict[str, Stop] = {
        f"{count} seeds, judged once": fixed(count) for count in (3, 5) if count < seeds
    }
    ways["a look after every seed, anytime-valid"] = until_settled(2)
    for looks in ((3, 5, 10), (2, 3, 5, 10), (2, 4, 10)):
        if looks[-1] == seeds:
            ways[f"planned looks at {', '.join(map(str, looks))}"] = at_looks(*looks)
    rows = []
    for name, stop in ways.items():
        cost = cost_of(stop, pairs)
        rows.append(
            (name, *map(share_of, (cost.share, cost.same, cost.same_go)), f"{cost.opposite:.3f}")
        )
    title = f"A verdict against all {seeds} seeds at once, {len(pairs)} pairs: {kind}"
    heads = ("way", "share of the cost", "same outcome", "same go", "opposite")
    return Table(title, heads, tuple(rows))


def rescue_tables(kind: str, pairs: Sequence[JudgedPair], lines: Lines) -> list[Table]:
    """Return where ladders ended, and how that compares with the better of both sides."""
    found = rescued_pairs(pairs, lines)
    if not found:
        return []
    groups = {"all": found}
    for each in found:
        groups.setdefault(f"transfer {each.outcome}", []).append(each)
    rows = tuple(_rescue_row(name, group) for name, group in groups.items())
    heads = (
        "pairs",
        "number",
        f"at most {100 * MARGIN:g} below the better side",
        "above the better side",
        "mean gain over the better side, points",
        "worst",
        "ended at",
    )
    return [Table(f"Where the rescue ended, test accuracy: {kind}", heads, rows)]


def _rescue_row(name: str, group: Sequence[RescuedPair]) -> tuple[str, ...]:
    gains = [each.gain for each in group]
    ends = Counter(each.rung for each in group)
    return (
        name,
        str(len(group)),
        share_of(sum(gain >= -MARGIN for gain in gains) / len(gains)),
        share_of(sum(gain > 0 for gain in gains) / len(gains)),
        f"{100 * sum(gains) / len(gains):+.1f}",
        f"{100 * min(gains):+.1f}",
        ", ".join(f"{rung} {count}" for rung, count in ends.most_common()),
    )


def share_of(value: float) -> str:
    """Return a share as text; a dash where there is none."""
    return "-" if isnan(value) else f"{value:.2f}"
