"""WHAT: one point for each candidate checkpoint and each comparison."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hf_transfer_plugin.records import Candidate, Ranking, Report
from hf_transfer_plugin.report.canvas import (
    GREY,
    INK,
    PALETTE,
    Chart,
    drawable,
    label_rows,
    legend,
    new_figure,
    png,
)
from hf_transfer_plugin.report.names import display_name, one_line
from hf_transfer_plugin.report.ranking_words import ranking_sentence, tied_candidates
from hf_transfer_plugin.report.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ranking_chart"]

_ROWS = 20
_LOOK = {
    "tied": (PALETTE[0], "o", "pretrained, cannot be told from the best"),
    "first": (PALETTE[0], "o", "pretrained, ahead of the others"),
    "behind": (PALETTE[5], "o", "pretrained, behind"),
    "pretrained": (PALETTE[0], "o", "pretrained checkpoint"),
    "random": (PALETTE[1], "s", "same network, random weights"),
    "baseline": ("#bfc5cc", "D", "no network"),
}
_GUIDE = "#e6e8eb"


def _size(parameters: int) -> str:
    if not parameters:
        return ""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit} weights"
    return f"{parameters} weights"


def _look(row: Candidate, ranking: Ranking) -> str:
    """Return which look a row has; where no set is known, that of its kind."""
    tied = tied_candidates(ranking)
    if row.kind != "pretrained" or not tied:
        return row.kind
    if display_name(row.checkpoint) not in tied:
        return "behind"
    return "tied" if len(tied) > 1 else "first"


def _label(row: Candidate, index: int, most: int) -> str:
    name = drawable(display_name(row.checkpoint), f"candidate {index + 1}")
    size = _size(row.parameters)
    if row.kind == "random":
        size = size.replace("weights", "random weights") or "random weights"
    if row.examples and row.examples < most:
        size = f"{size}, {row.examples} examples"
    return f"{name}\n{size}" if size else name


def ranking_chart(report: Report) -> Chart:
    """Draw the ordering score of every candidate and comparison; failed ones are named.

    Points, not bars: most scores have no zero that means something, and where they are negative
    the worst would have the longest bar.
    """
    from matplotlib.lines import Line2D

    ranking = report.ranking
    rows = [*ranking.candidates[:_ROWS], *ranking.baselines]
    values = [row.scores.get(ranking.score, math.nan) for row in rows]
    ends = [_drawn(row, value) for row, value in zip(rows, values, strict=True)]
    looks = [_look(row, ranking) for row in rows]
    figure, (axes,) = new_figure(1.3 + 0.46 * max(len(rows), 1))
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        if not math.isfinite(value):
            _write_failure(axes, place, row.error or "no such score")
            continue
        color, marker, _ = _LOOK[looks[place]]
        low, high = ends[place]
        axes.axhline(place, color=_GUIDE, linewidth=0.8, zorder=0)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.6, marker="|", markersize=8)
        axes.plot(value, place, marker, color=color, markeredgecolor=INK, markersize=9)
        axes.text(
            high,
            place,
            f"  {number(value)}",
            va="center",
            fontsize=9.5,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            zorder=1,
        )
    if not rows:
        axes.text(0.5, 0.5, "nothing was ranked", transform=axes.transAxes, ha="center", color=GREY)
    finite = [end for pair in ends for end in pair if math.isfinite(end)] or [0.0]
    low, high = min(finite), max(finite)
    room = 0.2 * ((high - low) or 1.0)
    axes.set_xlim(low - room / 3, high + room)
    label_rows(axes, [_label(row, index, ranking.examples) for index, row in enumerate(rows)])
    axes.set_xlabel(f"{ranking.score.replace('_', ' ')} (higher is better)", fontsize=10, color=INK)
    handles: list[object] = [
        Line2D([], [], color=color, marker=marker, markeredgecolor=INK, linestyle="", label=label)
        for look, (color, marker, label) in _LOOK.items()
        if look in looks
    ]
    if handles:
        legend(figure, handles, columns=2)
    return Chart("Ranking of checkpoints", _caption(report), _alt(report), png(figure))


def _drawn(row: Candidate, value: float) -> tuple[float, float]:
    """Return the ends of what is drawn: of the interval, or twice the value."""
    low, high = row.interval or (value, value)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (value, value)


def _write_failure(axes: Axes, place: int, reason: str) -> None:
    first, *_ = reason.splitlines() or [""]
    text = drawable(f"not scored: {one_line(first)}", "not scored, see the table", 50)
    axes.text(
        0.02,
        place,
        text,
        va="center",
        fontsize=8.5,
        color=GREY,
        style="italic",
        transform=axes.get_yaxis_transform(),
        in_layout=False,
    )


def _caption(report: Report) -> str:
    hidden = len(report.ranking.candidates) - _ROWS
    more = f" The {hidden} lowest candidates are not drawn." if hidden > 0 else ""
    return (
        "Score of each checkpoint on the target's training examples, beside the same networks "
        f"with random weights and methods without a network.{_interval_words(report)}{more}"
    )


def _interval_words(report: Report) -> str:
    ranking = report.ranking
    if not any(row.interval for row in ranking.candidates):
        return ""
    return (
        f" Lines are {100 * ranking.confidence:g}% intervals that hold for all rows at once; ties "
        "are judged on paired differences, so lines that overlap are no tie."
    )


def _alt(report: Report) -> str:
    failed = [row for row in report.ranking.candidates if row.error]
    names = ", ".join(display_name(row.checkpoint) for row in failed)
    return f"Dot chart. {ranking_sentence(report)}" + (f" Not scored: {names}." if failed else "")
