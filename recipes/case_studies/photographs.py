"""Pictures that show test images: a grid of answers, and the mistakes that were most sure.

They hold rows of the data, so they stay in the folder of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.report.canvas import INK, PALETTE, drawable, new_figure, png
from hf_transfer_plugin.report.evidence import kept_seed

__all__ = ["answer_grid", "sure_mistakes"]

_COLUMNS = 4
_SHOWN = 16
_ROW_INCHES = 1.85


def answer_grid(result: RunResult, data: TargetData, shown: int = _SHOWN) -> bytes:
    """Return a PNG of test images, drawn with a fixed seed, with answer and confidence.

    Args:
        result: whose kept seed answers.
        data: its data.
        shown: images, at most.
    """
    count = min(shown, len(result.labels))
    drawn = np.random.default_rng(0).choice(len(result.labels), count, replace=False)
    return _grid(result, data, sorted(int(number) for number in drawn))


def sure_mistakes(result: RunResult, data: TargetData, shown: int = _SHOWN) -> bytes | None:
    """Return a PNG of the wrong answers with the greatest confidence; None where all are right.

    Args:
        result: whose kept seed answers.
        data: its data.
        shown: images, at most.
    """
    seed = kept_seed(result)
    wrong = np.flatnonzero(np.asarray(seed.predictions) != np.asarray(result.labels))
    order = np.argsort(-np.asarray(seed.confidences)[wrong], kind="stable")
    numbers = [int(number) for number in wrong[order][:shown]]
    return _grid(result, data, numbers) if numbers else None


def _grid(result: RunResult, data: TargetData, numbers: Sequence[int]) -> bytes:
    seed, (column,) = kept_seed(result), data.inputs
    rows = -(-len(numbers) // _COLUMNS)
    figure, panels = new_figure(0.2 + _ROW_INCHES * rows, rows, _COLUMNS)
    pictures: Any = data.splits["test"].select(list(numbers))[column]
    for axes in panels:
        axes.set_axis_off()
    for axes, number, picture in zip(panels, numbers, pictures, strict=False):
        truth, answer = result.labels[number], seed.predictions[number]
        axes.imshow(np.asarray(picture.convert("RGB")))
        said = _name(result, answer)
        sure = f"{100 * seed.confidences[number]:.0f}%"
        right = truth == answer
        words = f"✓ {said} {sure}" if right else f"✗ {said} {sure}\nis {_name(result, truth)}"
        axes.set_title(words, fontsize=8, color=INK if right else PALETTE[1], pad=3)
    return png(figure)


def _name(result: RunResult, number: int) -> str:
    return drawable(result.class_names[number], f"class {number}", 20)
