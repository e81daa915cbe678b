"""The table of `hf-tl rank`: a row for each candidate, one for the baseline without a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from hf_transfer_plugin.records import Candidate, Ranking
from hf_transfer_plugin.report.names import display_name

__all__ = ["ranking_notes", "ranking_table"]

_IN_SET = "*"
_WIDE = 100


def ranking_table(ranking: Ranking, width: int) -> Table:
    """Return candidates, best first, each beside its twin with random weights.

    Args:
        ranking: also one of an earlier version, without intervals.
        width: of the terminal; below 100 columns the table is made narrower, without cutting
            a number.
    """
    narrow = width < _WIDE
    scored = [each for each in ranking.candidates if each.error is None]
    others = [name for name in scored[0].scores if name != ranking.score] if scored else []
    twins = {each.checkpoint: each for each in ranking.baselines if each.kind == "random"}

    def twin(row: Candidate) -> str:
        found = twins.get(row.checkpoint)
        return f"{found.scores[ranking.score]:.3f}" if found and row.kind == "pretrained" else "-"

    columns: dict[str, Callable[[Candidate], str]] = {
        ranking.score: lambda row: _score(row, ranking),
    }
    if any(each.interval for each in scored):
        columns[f"{100 * ranking.confidence:g}% interval"] = _interval
    columns["random weights"] = twin
    if any(each.best_layer for each in scored):
        columns["best layer"] = lambda row: _best(row, ranking.score)
    for name in others:
        columns[name.removesuffix("_accuracy").replace("_", " ")] = partial(_other, name)
    if any(each.examples != ranking.examples for each in scored if each.examples):
        columns["rows"] = lambda row: str(row.examples or "-")
    columns["weights"] = lambda row: _count(row.parameters)
    if not narrow and any(each.downloads is not None for each in scored):
        columns["downloads"] = lambda row: _count(row.downloads)
    passes = any(each.estimated_seconds is not None for each in scored)
    columns["seconds"] = _pass_seconds if passes else lambda row: _short(row.seconds)
    title = f"What to transfer ({ranking.examples} training examples)"
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("checkpoint", overflow="fold", min_width=12)
    plain = [each for each in ranking.baselines if each.kind == "baseline"]
    shown = [each for each in (*ranking.candidates, *plain) if each.error is None]
    for heading, cell in columns.items():
        # One word a line, so that numbers have room on 80 columns.
        words = [heading, *map(cell, shown)]
        widest = max(len(word) for text in words for word in text.split())
        table.add_column("\n".join(heading.split()), justify="right", min_width=widest)
    for each in shown:
        label = Text(display_name(each.checkpoint))
        cells = [cell(each) for cell in columns.values()]
        if narrow:
            cells = [text.replace(", ", ",\n").replace(" (", "\n(") for text in cells]
        table.add_row(label, *cells)
    return table


def ranking_notes(ranking: Ranking) -> list[str]:
    """Return what does not fit into the table, a line each: how to read it, failures, findings."""
    notes = []
    if _marked(ranking):
        notes.append(
            f"{_IN_SET} cannot be told from the best at {100 * ranking.confidence:g}% confidence "
            "(paired: overlapping intervals are no tie)"
        )
    if any(each.estimated_seconds is not None for each in ranking.candidates):
        total = sum(each.seconds for each in (*ranking.candidates, *ranking.baselines))
        notes.append(
            "seconds: of the pass over the examples (expected without the cache); with all scores "
            f"and baselines {_short(total)}"
        )
    for each in ranking.candidates:
        if each.error is not None:
            notes.append(f"{each.checkpoint} failed: {each.error.splitlines()[0]}")
        if each.declared:
            stated = ", ".join(f"{name} {value:g}" for name, value in each.declared.items())
            notes.append(f"{each.checkpoint} declares {stated} (unchecked)")
    if ranking.static_prior is not None:
        placed = [each for each in ranking.candidates if each.static_rank is not None]
        placed.sort(key=lambda each: each.static_rank or 0)
        if len(placed) > 1:
            level = groupby(placed, key=lambda each: each.static_rank)
            names = ", ".join(" = ".join(each.checkpoint for each in tied) for _, tied in level)
            counted = ranking.static_prior.replace("parameters", "weights")
            notes.append(f"by number of {counted} alone: {names}")
    return notes


def _marked(ranking: Ranking) -> tuple[str, ...]:
    """Return the candidates to mark; of a single one there is nothing to tell."""
    scored = sum(each.error is None for each in ranking.candidates)
    return ranking.confidence_set if scored > 1 else ()


def _score(row: Candidate, ranking: Ranking) -> str:
    marked = _marked(ranking)
    chosen = row.kind == "pretrained" and row.checkpoint in marked
    mark = _IN_SET if chosen else " " if marked else ""
    return f"{row.scores[ranking.score]:.3f}{mark}"


def _interval(row: Candidate) -> str:
    return f"{row.interval[0]:.3f}, {row.interval[1]:.3f}" if row.interval else "-"


def _best(row: Candidate, score: str) -> str:
    return f"{row.best_layer[score]:.3f}" if score in row.best_layer else "-"


def _other(name: str, row: Candidate) -> str:
    return f"{row.scores[name]:.3f}"


def _count(number: int | None) -> str:
    if not number:
        return "-"
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def _pass_seconds(row: Candidate) -> str:
    """Return the seconds of the pass and, in brackets, those that were expected."""
    if row.feature_seconds is None or row.estimated_seconds is None:
        return "-"
    return f"{_short(row.feature_seconds)} ({_short(row.estimated_seconds)})"


def _short(seconds: float) -> str:
    return f"{seconds:.{1 if seconds < 10 else 0}f}"
