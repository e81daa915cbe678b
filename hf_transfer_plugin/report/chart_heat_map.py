"""WHEN, over many pairs: a verdict for each source (row) and target (column)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report.canvas import (
    GREY,
    INK,
    PALETTE,
    Chart,
    drawable_classes,
    label_rows,
    new_figure,
    png,
)
from hf_transfer_plugin.report.contrast import readable_ink
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import has_interval, metric_name, points

__all__ = ["SIGNS", "heat_map_chart"]

#: Outcome -> the sign in a cell, for those who do not see its colour.
SIGNS: Mapping[str, str] = {"helped": "▲", "harmed": "▼", "equivalent": "=", "inconclusive": "?"}
_LEAST = 0.02  # difference that the strongest colour stands for, at least
_EMPTY = "#f3f4f6"


def heat_map_chart(verdicts: Mapping[tuple[str, str], Verdict], title: str) -> Chart:
    """Draw a cell for each pair: difference as colour, verdict as sign, interval as text.

    Args:
        verdicts: (source, target) -> verdict; a pair may lack.
        title: of the chart: what is compared with what.

    Raises:
        ValueError: when there is no pair.
    """
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.patches import Rectangle

    sources = list(dict.fromkeys(source for source, _ in verdicts))
    targets = list(dict.fromkeys(target for _, target in verdicts))
    # A domain has the same place as source and as target.
    targets.sort(key=lambda name: sources.index(name) if name in sources else len(sources))
    if not verdicts:
        raise ValueError("no pair to draw")
    known = [abs(each.difference) for each in verdicts.values() if math.isfinite(each.difference)]
    most = max([_LEAST, *known])
    colors = LinearSegmentedColormap.from_list("verdicts", [PALETTE[1], "#ffffff", PALETTE[0]])
    shades = Normalize(-most, most)
    figure, (axes,) = new_figure(1.7 + 0.62 * len(sources))
    for row, source in enumerate(sources):
        for column, target in enumerate(targets):
            verdict = verdicts.get((source, target))
            shown = verdict is not None and math.isfinite(verdict.difference)
            color = colors(shades(verdict.difference)) if verdict and shown else _EMPTY
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fc=color, ec=GREY, lw=0.6))
            if verdict is None:
                continue
            ink = readable_ink(color)
            words = f"{SIGNS[verdict.outcome]} {points(verdict.difference)}"
            axes.text(column, row - 0.13, words, ha="center", va="center", color=ink, fontsize=11)
            spoken = _interval(verdict)
            axes.text(column, row + 0.24, spoken, ha="center", va="center", color=ink, fontsize=7.5)
    label_rows(axes, drawable_classes(sources, 20))
    axes.set_ylim(len(sources) - 0.5, -0.5)
    axes.set_xlim(-0.5, len(targets) - 0.5)
    axes.set_xticks(range(len(targets)), labels=drawable_classes(targets, 14), fontsize=9.5)
    axes.tick_params(axis="x", length=0, labelbottom=False, labeltop=True)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("source", fontsize=10, color=INK)
    axes.set_title("target", fontsize=10, color=INK)
    key = "    ".join(f"{sign} {outcome}" for outcome, sign in SIGNS.items())
    metric = metric_name(next(iter(verdicts.values())).metric)
    figure.supxlabel(f"{key}\npoints of {metric}; orange: worse, blue: better", fontsize=9)
    caption = (
        "Each cell: difference in points with its interval; colour is the difference, the sign "
        "the verdict."
    )
    return Chart(one_line(title), caption, _alt(verdicts), png(figure))


def _interval(verdict: Verdict) -> str:
    if not has_interval(verdict):
        return "no interval"
    return f"{points(verdict.lower)} to {points(verdict.upper)}"


def _alt(verdicts: Mapping[tuple[str, str], Verdict]) -> str:
    parts = [
        f"{one_line(source)} to {one_line(target)} {points(each.difference)} points: {each.outcome}"
        for (source, target), each in verdicts.items()
    ]
    return f"Heat map of verdicts for each source and target: {'; '.join(parts)}."
