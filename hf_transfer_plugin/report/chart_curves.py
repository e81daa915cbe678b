"""WHEN: validation over the steps of training, transfer beside its controls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.records import Report, RunResult
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
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import metric_name, percent

__all__ = ["MARKERS", "Band", "band", "curves_chart"]

MARKERS = "osD^vP"
_DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 3)))


@dataclass(frozen=True)
class Band:
    """A validation curve over seeds, by steps or epochs: arrays [points]."""

    steps: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def band(result: RunResult, at: Literal["step", "epoch"] = "step") -> Band | None:
    """Return mean, least and greatest validation metric over seeds at each step (or epoch).

    Only steps that every seed reached count, so that the mean never changes its seeds; if there
    is none, every step counts with the seeds that have it.
    """
    curves = [
        {getattr(p, at): p.validation for p in seed.curve if math.isfinite(p.validation)}
        for seed in result.seeds
        if seed.curve
    ]
    if not curves:
        return None
    shared = set.intersection(*(set(curve) for curve in curves))
    steps = sorted(shared or set().union(*curves))
    values = [[curve[step] for curve in curves if step in curve] for step in steps]
    if not steps:
        return None
    return Band(
        np.asarray(steps, dtype=float),
        np.asarray([np.mean(row) for row in values]),
        np.asarray([np.min(row) for row in values]),
        np.asarray([np.max(row) for row in values]),
    )


def _level(result: RunResult) -> float:
    values = [seed.validation.get(result.plan.metric, math.nan) for seed in result.seeds]
    return float(np.mean(values)) if values else math.nan


def curves_chart(report: Report) -> Chart:
    """Draw one line with a band for each plan that trained, a dashed line for the others."""
    from matplotlib.ticker import MaxNLocator

    figure, (axes,) = new_figure(4.0)
    handles: list[object] = []
    flat = 0
    for place, result in enumerate(report.results):
        color = PALETTE[place % len(PALETTE)]
        name = drawable(result.plan.name, f"plan {place + 1}", 22)
        curve, level = band(result), _level(result)
        if curve is not None:
            axes.fill_between(curve.steps, curve.low, curve.high, color=color, alpha=0.18, lw=0)
            marker = MARKERS[place % len(MARKERS)]
            handles += axes.plot(
                curve.steps, curve.mean, color=color, marker=marker, markersize=5, lw=2, label=name
            )
        elif math.isfinite(level):
            dash = _DASHES[flat % len(_DASHES)]
            flat += 1
            label = f"{name} (no curve)"
            handles.append(axes.axhline(level, color=color, linestyle=dash, lw=1.8, label=label))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.set_xlabel("optimizer steps", fontsize=10, color=INK)
    axes.set_ylabel(
        f"validation {metric_name(report.transfer.plan.metric)}", fontsize=10, color=INK
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    axes.grid(axis="y", color="#d8dee4", linewidth=0.7)
    axes.set_axisbelow(True)
    if handles:
        legend(figure, handles, columns=2)
    else:
        axes.text(0.5, 0.5, "no curves recorded", transform=axes.transAxes, ha="center", color=GREY)
    caption = (
        "Line: mean over seeds. Band: least to greatest seed. "
        "Dashed: validation of a control that has no training steps."
    )
    return Chart("Learning curves", caption, _alt(report), png(figure))


def _alt(report: Report) -> str:
    parts = []
    for result in report.results:
        curve, level = band(result), _level(result)
        name = one_line(result.plan.name)
        if curve is not None:
            start, end = percent(float(curve.mean[0])), percent(float(curve.mean[-1]))
            parts.append(f"{name} goes from {start} to {end} at step {int(curve.steps[-1])}")
        elif math.isfinite(level):
            parts.append(f"{name} lies at {percent(level)}")
    metric = metric_name(report.transfer.plan.metric)
    return f"Line chart of validation {metric}: {'; '.join(parts) or 'no curves recorded'}."
