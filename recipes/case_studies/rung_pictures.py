"""Learning curves and ROC curves of all rungs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Literal

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_auc_score, roc_curve

from case_studies.table import positive
from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.report.canvas import GREY, INK, PALETTE, drawable, legend, new_figure, png
from hf_transfer_plugin.report.chart_curves import band
from hf_transfer_plugin.report.evidence import kept_seed

__all__ = ["curves_picture", "roc_picture"]

_COLUMNS = 3
_ROW_INCHES = 1.9
_STYLES: tuple[Literal["-", "--", ":"], ...] = ("-", "--", ":")


def curves_picture(results: Mapping[str, RunResult]) -> bytes:
    """Return a PNG with a panel for each rung: validation over epochs, beside the other rungs.

    Args:
        results: rung -> what it gave. The line is the mean over seeds, the band goes from the
            least to the greatest, the dashed line is the mean test accuracy.
    """
    rows = math.ceil(len(results) / _COLUMNS)
    columns = min(_COLUMNS, len(results))
    figure, panels = new_figure(0.75 + _ROW_INCHES * rows, rows, columns)
    bands = {name: band(result, "epoch") for name, result in results.items()}
    lows = [each.low.min() for each in bands.values() if each is not None]
    tests = [fmean(result.scores()) for result in results.values()]
    floor = min([*lows, *tests], default=0.0)
    for axes in panels[len(results) :]:
        axes.set_axis_off()
    for axes, (name, result) in zip(panels, results.items(), strict=False):
        for other, drawn in bands.items():
            if drawn is None:
                continue
            if other == name:
                axes.fill_between(drawn.steps, drawn.low, drawn.high, color=PALETTE[0], alpha=0.25)
                axes.plot(drawn.steps, drawn.mean, color=PALETTE[0], linewidth=1.8, zorder=3)
            else:
                axes.plot(drawn.steps, drawn.mean, color="#c3c9d0", linewidth=0.8)
        axes.axhline(fmean(result.scores()), color=PALETTE[1], linestyle="--", linewidth=1.4)
        axes.set_title(drawable(name, "rung", 24), fontsize=10, color=INK, loc="left")
        axes.set_ylim(floor - 0.03, 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.tick_params(labelsize=8)
        axes.set_xlabel("epochs", fontsize=8, color=INK)
    handles: list[object] = [
        Line2D([], [], color=PALETTE[0], linewidth=1.8, label="validation, band over seeds"),
        Line2D([], [], color=PALETTE[1], linestyle="--", linewidth=1.4, label="test, mean"),
        Line2D([], [], color="#c3c9d0", linewidth=0.8, label="other rungs"),
    ]
    legend(figure, handles, 3)
    return png(figure)


def roc_picture(results: Mapping[str, RunResult]) -> bytes | None:
    """Return a PNG of the ROC curve of each rung's kept seed; None unless there are two classes.

    Args:
        results: rung -> what it gave.
    """
    two = {name: each for name, each in results.items() if len(each.class_names) == 2}
    if not two:
        return None
    figure, (axes,) = new_figure(4.6)
    handles: list[object] = []
    for place, (name, result) in enumerate(two.items()):
        score = positive(result, kept_seed(result))
        false, found, _ = roc_curve(result.labels, score)
        color = PALETTE[place % len(PALETTE)]
        style = _STYLES[place // len(PALETTE) % len(_STYLES)]
        axes.plot(false, found, color=color, linestyle=style, linewidth=1.8)
        label = f"{drawable(name, 'rung', 16)} (AUC {roc_auc_score(result.labels, score):.3f})"
        handles.append(Line2D([], [], color=color, linestyle=style, label=label))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    first, second = (drawable(each, "class", 16) for each in next(iter(two.values())).class_names)
    axes.set_xlabel(f"share of “{first}” taken for “{second}”", fontsize=10, color=INK)
    axes.set_ylabel(f"share of “{second}” found", fontsize=10, color=INK)
    legend(figure, handles, 3)
    return png(figure)
