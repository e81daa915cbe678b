"""Multitask: validation of each task over its training, alone and on a network of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.report.canvas import (
    GREY,
    INK,
    PALETTE,
    Chart,
    drawable,
    legend,
    new_figure,
    png,
)
from hf_transfer_plugin.report.chart_curves import MARKERS, band
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import metric_name, percent

__all__ = ["tasks_chart"]

_COLUMNS = 2


def tasks_chart(title: str, tasks: Mapping[str, Sequence[RunResult]]) -> Chart:
    """Draw a panel for each task, with a line and band for each of its results.

    Args:
        title: heading.
        tasks: name -> results, the task alone first; each named by its plan.
    """
    from matplotlib.ticker import MaxNLocator

    metric = metric_name(next(iter(tasks.values()))[0].plan.metric)
    rows = math.ceil(len(tasks) / _COLUMNS)
    figure, panels = new_figure(0.9 + 2.4 * rows, rows, _COLUMNS)
    for axes in panels[len(tasks) :]:
        axes.set_visible(False)
    handles: dict[str, object] = {}
    parts = []
    for number, (axes, (name, results)) in enumerate(zip(panels, tasks.items(), strict=False)):
        axes.set_title(drawable(name, f"task {number + 1}"), fontsize=10.5, color=INK, loc="left")
        for place, result in enumerate(results):
            curve = band(result, at="epoch")
            if curve is None:
                continue
            color = PALETTE[place % len(PALETTE)]
            label = drawable(result.plan.name, f"way {place}", 22)
            axes.fill_between(curve.steps, curve.low, curve.high, color=color, alpha=0.15, lw=0)
            marker = MARKERS[place % len(MARKERS)]
            (line,) = axes.plot(
                curve.steps, curve.mean, color=color, marker=marker, markersize=4.5, lw=1.8,
                label=label,
            )  # fmt: skip
            handles.setdefault(label, line)
            last = percent(float(curve.mean[-1]))
            parts.append(f"{one_line(name)}, {one_line(result.plan.name)}: {last} at the end")
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        axes.grid(axis="y", color="#d8dee4", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        if not number % _COLUMNS:
            axes.set_ylabel(f"validation {metric}", fontsize=9.5, color=INK)
        if number + _COLUMNS >= len(tasks):
            axes.set_xlabel("epochs", fontsize=9.5, color=INK)
    if handles:
        legend(figure, list(handles.values()), columns=3)
    else:
        figure.text(0.5, 0.5, "no curves recorded", ha="center", color=GREY)
    caption = f"Validation {metric} of each task. Line: mean over seeds. Band: least to greatest."
    return Chart(title, caption, f"{caption} {'; '.join(parts)}.", png(figure))
