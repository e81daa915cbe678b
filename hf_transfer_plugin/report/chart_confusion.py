"""Which classes are taken for which, on the test examples of the published model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.records import Report, RunResult
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
from hf_transfer_plugin.report.evidence import confusion
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_chart", "confusion_picture"]

_MATRIX_CLASSES = 30
_WORST_CLASSES = 20
_NUMBERED_CLASSES = 12

Counts = NDArray[np.int64]


def confusion_chart(report: Report) -> Chart:
    """Draw the confusion matrix of the transfer; see `confusion_picture`."""
    return confusion_picture(report.transfer)


def confusion_picture(result: RunResult) -> Chart:
    """Draw the confusion matrix, or for many classes those that are recognised worst."""
    names = drawable_classes(result.class_names, 20)
    counts = confusion(result)
    seed = result.best_seed
    if counts is None:
        figure, (axes,) = new_figure(2.0)
        axes.text(0.5, 0.5, "no predictions recorded", ha="center", color=GREY)
        axes.set_axis_off()
        text = "No predictions were recorded."
        return Chart("Confusions", text, text, png(figure))
    if len(names) > _MATRIX_CLASSES:
        figure = _worst(names, counts)
        title = "Classes recognised worst"
        caption = f"The {_WORST_CLASSES} lowest recalls on test, and what is answered instead"
    else:
        figure = _matrix(names, counts)
        title = "Confusion matrix"
        caption = "Test examples; colour is the share of the true class (row)"
    return Chart(
        title, f"{caption} (the kept model, seed {seed}).", _alt(result, counts), png(figure)
    )


def _recall(counts: Counts) -> NDArray[np.float64]:
    support = counts.sum(axis=1)
    return np.where(support > 0, np.diag(counts) / np.maximum(support, 1), np.nan)


def _matrix(names: list[str], counts: Counts) -> Figure:
    size = len(names)
    figure, (axes,) = new_figure(5.6)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font = 9.5 if size <= _NUMBERED_CLASSES else 7
    label_rows(axes, names, font)
    axes.set_ylim(size - 0.5, -0.5)
    tilt = 0 if size <= 10 and max(map(len, names)) <= 3 else 60
    axes.set_xticks(range(size), labels=names, fontsize=font, rotation=tilt)
    if tilt:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    axes.tick_params(axis="x", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted class", fontsize=10, color=INK)
    axes.set_ylabel("true class", fontsize=10, color=INK)
    if size <= _NUMBERED_CLASSES:
        _write_counts(axes, counts, image.to_rgba(shares))
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=lambda value, _: f"{100 * value:.0f}%")
    bar.ax.tick_params(labelsize=9)
    bar.outline.set_visible(False)
    return figure


def _write_counts(axes: Axes, counts: Counts, colors: NDArray[np.float64]) -> None:
    for row, column in np.argwhere(counts > 0):
        ink = readable_ink(tuple(colors[row, column]))
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)


def _worst(names: list[str], counts: Counts) -> Figure:
    recall = _recall(counts)
    order = [int(index) for index in np.argsort(recall, kind="stable")[:_WORST_CLASSES]]
    order = [index for index in order if np.isfinite(recall[index])]
    figure, (axes,) = new_figure(0.9 + 0.3 * max(len(order), 1))
    for place, index in enumerate(order):
        axes.barh(place, recall[index], 0.66, color=PALETTE[0])
        wrong = counts[index].copy()
        wrong[index] = 0
        text = f" {percent(float(recall[index]), 0)}"
        if wrong.max() > 0:
            other = int(wrong.argmax())
            text += f"  taken for {names[other]} ({wrong[other]} of {counts[index].sum()})"
        axes.text(recall[index], place, text, va="center", fontsize=8, color=INK)
    label_rows(axes, [names[index] for index in order], 8.5)
    axes.set_xlim(0, 1.9)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("recall", fontsize=10, color=INK, x=0.26)
    return figure


def _alt(result: RunResult, counts: Counts) -> str:
    names = [one_line(name) for name in result.class_names]
    recall = _recall(counts)
    if not np.isfinite(recall).any():
        return "Confusions: no test examples."
    low = int(np.nanargmin(recall))
    wrong = counts - np.diag(np.diag(counts))
    text = (
        f"Confusions of {len(names)} classes. Lowest recall: {names[low]}, "
        f"{percent(float(recall[low]))}."
    )
    if wrong.max() > 0:
        true, answer = np.unravel_index(int(wrong.argmax()), wrong.shape)
        text += (
            f" Most frequent confusion: {names[int(true)]} taken for {names[int(answer)]}, "
            f"{wrong.max()} times."
        )
    return text
