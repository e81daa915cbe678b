"""HOW: which layers train when, and at which rate."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from hf_transfer_plugin.records import Phase, Report
from hf_transfer_plugin.report.canvas import GREY, INK, Chart, drawable, label_rows, new_figure, png
from hf_transfer_plugin.report.names import shorten
from hf_transfer_plugin.report.words import schedule_words, selector_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

__all__ = ["boundaries", "covers", "schedule_chart"]


def _top(selector: str) -> int | None:
    if selector == "head":
        return 0
    kind, _, count = selector.partition(":")
    return int(count) if kind == "top" and count.isdigit() else None


def covers(chosen: str, selector: str) -> bool:
    """Return whether the layers of `selector` are certain to be among those of `chosen`.

    Example:
        >>> covers("*", "top:2"), covers("top:2", "head"), covers("layer.1*", "layer.11")
        (True, True, True)
        >>> covers("head", "top:2")
        False
    """
    if chosen == selector or chosen == "*":
        return True
    outer, inner = _top(chosen), _top(selector)
    if outer is not None or inner is not None:
        return outer is not None and inner is not None and outer >= inner
    return fnmatchcase(selector, chosen) and not any(sign in selector for sign in "*?[")


def boundaries(schedule: Sequence[Phase], total_steps: int) -> list[float]:
    """Return where each phase ends, as a share of training, never decreasing.

    Args:
        schedule: the phases, first to last.
        total_steps: optimizer steps of the run, to place ends that are given in steps.
    """
    ends: list[float] = []
    for index, phase in enumerate(schedule):
        last = index == len(schedule) - 1
        if last:
            end = 1.0
        elif phase.until_fraction is not None:
            end = phase.until_fraction
        elif phase.until_step is not None and total_steps > 0:
            end = phase.until_step / total_steps
        else:
            end = (index + 1) / len(schedule)
        ends.append(max(min(end, 1.0), ends[-1] if ends else 0.0))
    return ends


def schedule_chart(report: Report) -> Chart:
    """Draw phases along training and selectors as rows; colour is the factor on the rate."""
    schedule = report.transfer.plan.schedule
    steps = max((seed.steps for seed in report.transfer.seeds), default=0)
    ends = boundaries(schedule, steps)
    rows = list(dict.fromkeys(selector for phase in schedule for selector in phase.train))
    many = len({phase.rate for phase in schedule}) > 3
    figure, (axes,) = new_figure(1.4 + 0.5 * max(len(rows), 1) + 0.6 * many)
    colors = _draw_phases(axes, schedule, ends, rows)
    if many:
        # Many rates mean narrow phases, in which the figure may not fit.
        bar = figure.colorbar(colors, ax=axes, location="bottom", shrink=0.5, aspect=35)
        bar.set_label("factor on the learning rate", fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=9)
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"×{value:g}")
        bar.ax.minorticks_off()
    _name_phases(axes, schedule, ends)
    axes.set_xlim(0, 1)
    labels = [
        drawable(selector_words(row), f"selector {index + 1}", 30) for index, row in enumerate(rows)
    ]
    label_rows(axes, labels)
    axes.set_xlabel("share of training", fontsize=10, color=INK)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    caption = (
        "Coloured: these layers train, at that factor on the learning rate (darker is faster). "
        "Empty: frozen, or trained only in part."
    )
    alt = f"Timeline of the schedule. {' '.join(schedule_words(schedule))}"
    return Chart("Freezing schedule", caption, alt, png(figure))


def _draw_phases(
    axes: Axes, schedule: Sequence[Phase], ends: list[float], rows: list[str]
) -> ScalarMappable:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, LogNorm

    rates = [phase.rate for phase in schedule if phase.rate > 0] or [1.0]
    # At least a decade below 1: "full rate" has the same colour in every report.
    norm = LogNorm(min([*rates, 0.1]), max([*rates, 1.0]))
    # Without the palest and darkest ends, on which nothing can be read.
    shades = ListedColormap(colormaps["YlGnBu"](np.linspace(0.25, 0.85, 256)))
    colors = ScalarMappable(norm, shades)
    start = 0.0
    for phase, end in zip(schedule, ends, strict=True):
        share = float(norm(phase.rate)) if phase.rate > 0 else 0.0
        color = shades(share)
        ink = "white" if share > 0.45 else INK
        width = end - start
        for place, selector in enumerate(rows if width > 0 else []):
            if any(covers(chosen, selector) for chosen in phase.train):
                axes.barh(place, width, 0.7, left=start, color=color, edgecolor="white", lw=1.5)
                _write_rate(axes, phase.rate, start + width / 2, place, width, ink)
        start = end
    return colors


def _write_rate(axes: Axes, rate: float, middle: float, place: int, width: float, ink: str) -> None:
    text = f"×{rate:.2g}"
    for size, letter_width in ((9.5, 0.023), (7.5, 0.0175)):
        if width > letter_width * len(text):
            axes.text(middle, place, text, ha="center", va="center", fontsize=size, color=ink)
            return


def _name_phases(axes: Axes, schedule: Sequence[Phase], ends: list[float]) -> None:
    start = 0.0
    for index, (phase, end) in enumerate(zip(schedule, ends, strict=True)):
        letters = int(42 * (end - start))
        name = drawable(phase.name or f"phase {index + 1}", str(index + 1), 99)
        if len(name) > letters:
            name = shorten(name, letters) if letters >= 8 else str(index + 1)
        if len(name) <= letters:
            middle = (start + end) / 2
            axes.text(middle, -0.62, name, ha="center", va="bottom", fontsize=9, color=INK)
        if end < 1:
            axes.axvline(end, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
        start = end
