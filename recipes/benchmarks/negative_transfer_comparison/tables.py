"""Results as tables: what training found, and how well it was foretold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from measured.table import Table
from tuning.lines import Lines
from tuning.source import KINDS

from negative_transfer_comparison.judged import MARGIN, JudgedPair, judged_pairs
from negative_transfer_comparison.plan import SOURCES
from negative_transfer_comparison.quality import auroc, precision_recall
from negative_transfer_comparison.signals import Signal, signals_before
from negative_transfer_comparison.watched_tables import (
    costs_table,
    during_table,
    rescue_tables,
    share_of,
)

__all__ = ["tables"]

_OUTCOMES = ("helped", "harmed", "equivalent", "inconclusive")
_MARKS = {"helped": "+", "harmed": "-", "equivalent": "=", "inconclusive": "?"}


def tables(lines: Lines) -> list[Table]:
    """Return for each kind of data the ground truth, its counts, and the forecast's quality."""
    found = judged_pairs(lines)
    shown = []
    for kind in KINDS:
        pairs = [each for each in found if each.place.kind == kind]
        if not pairs:
            continue
        shown += [_differences(kind, pairs), _counts(kind, pairs)]
        for name, group in _modes(kind, pairs).items():
            foretold = [each for each in group if each.forecasts]
            if foretold:
                shown += [_words(name, foretold), _order(name, foretold)]
            shown.append(during_table(name, group))
        shown += [costs_table(kind, pairs), *rescue_tables(kind, pairs, lines)]
    return shown


def _modes(kind: str, pairs: Sequence[JudgedPair]) -> dict[str, list[JudgedPair]]:
    """Return the pairs, and where both kinds are among them those that train all or the head."""
    heads = [each for each in pairs if SOURCES[each.source].frozen]
    whole = [each for each in pairs if not SOURCES[each.source].frozen]
    modes = {f"{kind}, all layers train": whole, f"{kind}, the head alone trains": heads}
    return {kind: list(pairs), **(modes if heads and whole else {})}


def _differences(kind: str, pairs: Sequence[JudgedPair]) -> Table:
    sources = [name for name in SOURCES if any(each.source == name for each in pairs)]
    cells = {(each.place.target, each.place.rows, each.source): _cell(each) for each in pairs}
    seeds = sorted({each.verdict.seeds for each in pairs})
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    title = (
        f"Transfer minus scratch, points of accuracy, {span} seeds: {kind}; + helped, - harmed, "
        f"= equivalent within {100 * MARGIN:g}, ? inconclusive"
    )
    rows = tuple(
        (target, str(size), *(cells.get((target, size, name), "") for name in sources))
        for target, size in dict.fromkeys((each.place.target, each.place.rows) for each in pairs)
    )
    return Table(title, ("target", "rows", *sources), rows)


def _cell(pair: JudgedPair) -> str:
    return f"{100 * pair.verdict.difference:+.1f} {_MARKS[pair.outcome]}"


def _counts(kind: str, pairs: Sequence[JudgedPair]) -> Table:
    groups = {"all": list(pairs)}
    for pair in pairs:
        groups.setdefault(f"{pair.place.rows} rows", []).append(pair)
    for pair in pairs:
        groups.setdefault(f"from {pair.source}", []).append(pair)
    rows = tuple(
        (name, str(len(group)), *(str(_count(group, outcome)) for outcome in _OUTCOMES))
        for name, group in groups.items()
    )
    return Table(f"What training found: {kind}", ("pairs", "number", *_OUTCOMES), rows)


def _count(pairs: Sequence[JudgedPair], outcome: str) -> int:
    return sum(each.outcome == outcome for each in pairs)


def _words(kind: str, pairs: Sequence[JudgedPair]) -> Table:
    """Tell how often the words of the forecast come true."""
    rows = []
    for baseline in pairs[0].forecasts:
        for word, outcome in (("help", "helped"), ("harm", "harmed")):
            said = [each.forecasts[baseline].expected == word for each in pairs]
            true = [each.outcome == outcome for each in pairs]
            opposite = "harmed" if word == "help" else "helped"
            wrong = sum(
                is_said and each.outcome == opposite
                for is_said, each in zip(said, pairs, strict=True)
            )
            shares = map(share_of, precision_recall(said, true))
            rows.append(
                (f"expected to {word}, against {baseline}", str(sum(said)), *shares, str(wrong))
            )
        silent = sum(each.forecasts[baseline].expected == "none" for each in pairs)
        rows.append((f"no forecast, against {baseline}", str(silent), "-", "-", "-"))
    title = f"Words of the forecast, {len(pairs)} pairs: {kind}"
    heads = ("word", "said", "precision", "recall", "the opposite came true")
    return Table(title, heads, tuple(rows))


def _order(kind: str, pairs: Sequence[JudgedPair]) -> Table:
    """Tell how well differences of scores order pairs that helped before pairs that harmed."""
    decided = [each for each in pairs if each.outcome in ("helped", "harmed")]
    signals = signals_before(pairs)
    rows = tuple(
        (
            name,
            share_of(_auroc(signal, decided, lambda each: each.outcome == "helped")),
            share_of(_auroc(signal, pairs, lambda each: each.verdict.difference > 0)),
        )
        for name, signal in signals.items()
    )
    title = f"AUROC of signals before training: {kind}"
    heads = (
        "signal",
        f"helped against harmed ({len(decided)} pairs)",
        f"sign of the mean difference ({len(pairs)} pairs)",
    )
    return Table(title, heads, rows)


def _auroc(
    signal: Signal, pairs: Sequence[JudgedPair], good: Callable[[JudgedPair], bool]
) -> float:
    return auroc([signal(each) for each in pairs], [good(each) for each in pairs])
