"""The table of the ranking, as rows of plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hf_transfer_plugin.records import Candidate, Report
from hf_transfer_plugin.report.names import display_name, one_line
from hf_transfer_plugin.report.ranking_words import tied_candidates
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import number

__all__ = ["ranking_cells"]


def ranking_cells(report: Report) -> Cells:
    """Return every candidate and comparison with all scores; the first score orders."""
    ranking = report.ranking
    names = {name for row in (*ranking.candidates, *ranking.baselines) for name in row.scores}
    names.discard(ranking.score)

    def value(of: Mapping[str, float], name: str) -> str:
        return number(of.get(name, math.nan))

    def title(name: str) -> str:
        return one_line(name.replace("_", " "))

    tied = tied_candidates(ranking)
    every = (*ranking.candidates, *ranking.baselines)
    columns: list[tuple[str, bool, list[str]]] = [
        ("Kind", True, [row.kind for row in every]),
        (title(ranking.score), False, [value(row.scores, ranking.score) for row in every]),
    ]
    if any(row.best_layer for row in every):
        best = [value(row.best_layer, ranking.score) for row in every]
        columns.append((f"{title(ranking.score)}, best layer", False, best))
    if any(row.interval for row in every):
        level = f"{100 * ranking.confidence:g}% interval"
        columns.append((level, False, [_ends(row.interval) for row in every]))
    if tied:
        marks = [
            "yes" if row.kind == "pretrained" and display_name(row.checkpoint) in tied else ""
            for row in every
        ]
        columns.append(("Cannot be told from the best", True, marks))
    if any(row.null for row in every):
        nulls = [number(row.null[1]) if row.null else "–" for row in every]
        columns.append(("Shuffled labels (95%)", False, nulls))
    columns += [
        (title(name), False, [value(row.scores, name) for row in every]) for name in sorted(names)
    ]
    if any(row.examples not in (0, ranking.examples) for row in every):
        columns.append(("Examples", False, [str(row.examples or "–") for row in every]))
    columns.append(
        ("Weights", False, [f"{row.parameters:,}" if row.parameters else "–" for row in every])
    )
    if any(row.downloads is not None for row in every):
        counts = ["–" if row.downloads is None else f"{row.downloads:,}" for row in every]
        columns.append(("Downloads", False, counts))
    if any(row.declared for row in every):
        columns.append(("Declared on its card", True, [_declared(row) for row in every]))
    columns.append(("Seconds", False, [number(row.seconds, 1) for row in every]))
    columns.append(("Error", True, [_reason(row) for row in every]))
    cells = [display_name(row.checkpoint) for row in every]
    return Cells(
        f"Scores on {ranking.examples} training examples, higher is better; the first one orders."
        + (
            " Intervals hold for all rows at once; ties are judged on paired differences, so "
            "intervals that overlap are no tie."
            if any(row.interval for row in every)
            else ""
        ),
        ("Checkpoint", *(head for head, _, _ in columns)),
        list(zip(cells, *(column for _, _, column in columns), strict=True)),
        text_columns=tuple(place for place, (_, text, _) in enumerate(columns, 1) if text),
    )


def _ends(interval: tuple[float, float] | None) -> str:
    return f"{number(interval[0])} to {number(interval[1])}" if interval else "–"


def _reason(row: Candidate) -> str:
    """Return an error, which says three things on three lines, on one."""
    return "; ".join(map(one_line, (row.error or "").splitlines()))


def _declared(row: Candidate) -> str:
    return one_line(", ".join(f"{name} {value:g}" for name, value in row.declared.items()))
