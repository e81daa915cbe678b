"""The confusion matrix, read back from what is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.report import chart_confusion
from hf_transfer_plugin.report.canvas import png
from hf_transfer_plugin.report.chart_confusion import confusion_picture
from tests.report import samples
from tests.report.contrasts import ENOUGH, contrast

CLASSES = 10


def _spread_result() -> RunResult:
    """Return a result in which row i gets 10 i of its 100 test examples right."""
    made = samples.report(classes=tuple(f"c{index}" for index in range(CLASSES))).transfer
    labels = np.repeat(np.arange(CLASSES), 100)
    wrong = (labels + 1) % CLASSES
    predictions = np.where(np.arange(100 * CLASSES) % 100 < 10 * labels, labels, wrong)
    seeds = tuple(replace(seed, predictions=tuple(map(int, predictions))) for seed in made.seeds)
    return replace(made, seeds=seeds, labels=tuple(map(int, labels)))


def test_every_count_stands_out_from_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []

    def kept(figure: Figure) -> bytes:
        figures.append(figure)
        return png(figure)

    monkeypatch.setattr(chart_confusion, "png", kept)
    confusion_picture(_spread_result())
    axes = figures[0].axes[0]
    (image,) = axes.images
    shares = image.get_array()
    assert shares is not None
    cells = image.to_rgba(shares)
    inks = set()
    for text in axes.texts:
        column, row = map(round, text.get_position())
        assert contrast(text.get_color(), cells[row, column]) >= ENOUGH, text
        inks.add(text.get_color())
    assert {text.get_text() for text in axes.texts} == {str(10 * index) for index in range(1, 11)}
    assert inks == {"white", "black"}, "light cells and dark ones"
