"""WHEN: difference of transfer and each control, with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hf_transfer_plugin.records import Report, Verdict
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
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import interval_name, interval_words, metric_name, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["verdict_chart"]

_COLORS = {
    "helped": PALETTE[0],
    "harmed": PALETTE[1],
    "equivalent": PALETTE[2],
    "inconclusive": GREY,
}
_MARKERS = {"helped": "^", "harmed": "v", "equivalent": "D", "inconclusive": "o"}


def _label(verdict: Verdict, index: int) -> str:
    name = drawable(verdict.baseline, f"control {index + 1}", 24)
    lower, upper = points(verdict.lower), points(verdict.upper)
    return f"{name}\n{points(verdict.difference)}  [{lower}, {upper}]"


def _panel(axes: Axes, verdicts: list[Verdict], title: str) -> None:
    margin = 100 * verdicts[0].margin
    axes.axvspan(-margin, margin, color="#8c959f", alpha=0.25, lw=0)
    axes.axvline(0, color=INK, linewidth=1)
    shown = [-1.5 * margin, 1.5 * margin]
    for place, verdict in enumerate(verdicts):
        values = [100 * value for value in (verdict.lower, verdict.difference, verdict.upper)]
        color, marker = _COLORS[verdict.outcome], _MARKERS[verdict.outcome]
        finite = [value for value in values if math.isfinite(value)]
        shown += finite
        if len(finite) == 3:
            axes.plot(values[::2], [place, place], color=color, lw=2.6, solid_capstyle="butt")
            axes.plot(values[::2], [place, place], "|", color=color, markersize=10, mew=2)
        if math.isfinite(values[1]):
            axes.plot(values[1], place, marker, color=color, markersize=9, mec="white", mew=0.8)
    pad = 0.08 * (max(shown) - min(shown) or 1.0)
    axes.set_xlim(min(shown) - pad, max(shown) + pad)
    label_rows(axes, [_label(verdict, index) for index, verdict in enumerate(verdicts)], 9)
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.xaxis.set_major_formatter(
        lambda value, _: "0" if value == 0 else f"{value:+g}".replace("-", "−")
    )


def verdict_chart(report: Report) -> Chart:
    """Draw a forest plot; the primary control has a scale of its own, so it is never squeezed."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    main, others = report.verdict, list(report.verdict.others)
    sizes = [1, len(others)] if others else [1]
    height = 0.95 + 0.6 * len(sizes) + 0.5 * sum(sizes)
    ratios = [size + 0.4 for size in sizes]
    figure, panels = new_figure(height, len(sizes), height_ratios=ratios)
    _panel(panels[0], [main], "Primary control")
    if others:
        _panel(panels[1], others, "Other controls")
    metric = metric_name(main.metric)
    panels[-1].set_xlabel(f"transfer − control, points of {metric}", fontsize=10, color=INK)
    outcomes = list(dict.fromkeys(verdict.outcome for verdict in (main, *others)))
    handles: list[object] = [
        Line2D([], [], color=_COLORS[key], marker=_MARKERS[key], lw=2.6, label=key)
        for key in outcomes
    ]
    handles.append(Patch(color="#8c959f", alpha=0.4, label=f"margin ±{100 * main.margin:g}"))
    legend(figure, handles, columns=len(handles))
    caption = (
        "Right of zero, transfer is better. "
        f"Bars: {interval_name(main)}. Grey: differences too small to matter."
    )
    return Chart("Transfer against its controls", caption, _alt(report), png(figure))


def _alt(report: Report) -> str:
    parts = [
        f"against {one_line(verdict.baseline)} {points(verdict.difference)} points "
        f"({interval_words(verdict)}): {verdict.outcome}"
        for verdict in (report.verdict, *report.verdict.others)
    ]
    return f"Forest plot of the difference transfer minus control: {'; '.join(parts)}."
