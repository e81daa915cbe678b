"""HOW with few labels: the metric of every method over the number of labelled examples."""

from __future__ import annotations

from typing import Literal

from hf_transfer_plugin.few_shot_records import FewShotResult
from hf_transfer_plugin.report.canvas import (
    INK,
    PALETTE,
    Chart,
    drawable,
    legend,
    new_figure,
    png,
)
from hf_transfer_plugin.report.names import display_name
from hf_transfer_plugin.report.words import number

__all__ = ["few_shot_chart"]

_TITLE = "Few labels"
_MARKERS = ("s", "o", "^")
_STYLES: tuple[Literal["dotted", "dashed", "solid"], ...] = ("dotted", "dashed", "solid")


def few_shot_chart(result: FewShotResult) -> Chart:
    """Draw mean and standard deviation over draws of each method, and the draws as dots."""
    from matplotlib.lines import Line2D

    figure, (axes,) = new_figure(3.6)
    handles: list[object] = []
    middle = (len(result.methods) - 1) / 2
    for index, method in enumerate(result.methods):
        color, marker, style = PALETTE[index], _MARKERS[index], _STYLES[index]
        places = [place + 0.05 * (index - middle) for place in range(len(result.shots))]
        found = [result.spread(method, shots) for shots in result.shots]
        axes.errorbar(
            places,
            [mean for mean, _ in found],
            [spread for _, spread in found],
            linewidth=1.6,
            markersize=5,
            elinewidth=1.0,
            capsize=2.5,
            color=color,
            marker=marker,
            linestyle=style,
        )
        for place, shots in zip(places, result.shots, strict=True):
            dots = [score.test[result.metric] for score in result.of(method, shots)]
            axes.plot([place] * len(dots), dots, ".", color=color, markersize=3, alpha=0.5)
        handles.append(
            Line2D([], [], color=color, marker=marker, linestyle=style, markersize=5, label=method)
        )
    axes.set_xticks(range(len(result.shots)), labels=[str(shots) for shots in result.shots])
    axes.set_xlabel("labelled examples of each class", fontsize=10, color=INK)
    axes.set_ylabel(_metric(result), fontsize=10, color=INK)
    name = drawable(display_name(result.checkpoint), "checkpoint", 40)
    axes.set_title(f"{name}, {len(result.class_names)} classes", fontsize=10, color=INK)
    axes.margins(y=0.12)
    legend(figure, handles, columns=3)
    return Chart(_TITLE, _caption(result), _alt(result), png(figure))


def _metric(result: FewShotResult) -> str:
    return f"test {result.metric.replace('_', ' ')}"


def _caption(result: FewShotResult) -> str:
    return (
        f"{_metric(result).capitalize()} of {display_name(result.checkpoint)} with few labels: "
        f"mean and standard deviation over {result.draws} draws, each a dot; every method learns "
        "from the same rows."
    )


def _alt(result: FewShotResult) -> str:
    first, last = result.shots[0], result.shots[-1]
    parts = [
        f"{method} {number(result.spread(method, first)[0])} with {first}, "
        f"{number(result.spread(method, last)[0])} with {last}"
        for method in result.methods
    ]
    return f"Line chart of {_metric(result)} over labels of each class: {'; '.join(parts)}."
