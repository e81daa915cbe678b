"""The heat map of verdicts: what is drawn for which pair, and whether it can be read."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from hf_transfer_plugin import judge
from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report import chart_heat_map
from hf_transfer_plugin.report.canvas import png
from hf_transfer_plugin.report.chart_heat_map import heat_map_chart
from tests.report.contrasts import ENOUGH, contrast

CONTROL = [0.80, 0.81, 0.80]
#: Outcome -> what each seed gains.
GAINS = {
    "helped": (0.05, 0.05, 0.06),
    "harmed": (-0.05, -0.06, -0.05),
    "equivalent": (0.0, 0.001, 0.0),
    "inconclusive": (0.1, -0.1, 0.0),
}


def _verdict(outcome: str) -> Verdict:
    found = judge([a + b for a, b in zip(CONTROL, GAINS[outcome], strict=True)], CONTROL)
    assert found.outcome == outcome
    return found


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []

    def kept(figure: Figure) -> bytes:
        figures.append(figure)
        return png(figure)

    monkeypatch.setattr(chart_heat_map, "png", kept)
    return figures


def test_each_cell_says_its_verdict(drawn: list[Figure]) -> None:
    pairs = [("a$x", "b"), ("b", "a$x"), ("c", "a$x"), ("c", "d")]
    verdicts = dict(zip(pairs, map(_verdict, GAINS), strict=True))
    chart = heat_map_chart(verdicts, "source and target")
    with Image.open(io.BytesIO(chart.image)) as picture:
        assert picture.width == 1200
    axes = drawn[0].axes[0]
    texts = {each.get_position(): each.get_text() for each in axes.texts}
    # Targets in the order of the sources: a domain has the same place on both sides.
    assert [each.get_text() for each in axes.get_xticklabels()] == ["a$x", "b", "d"]
    assert [each.get_text() for each in axes.get_yticklabels()] == ["a$x", "b", "c"]
    signs = {
        (round(y + 0.13), round(x)): text for (x, y), text in texts.items() if " to " not in text
    }
    assert signs == {(0, 1): "▲ +5.3", (1, 0): "▼ −5.3", (2, 0): "= 0.0", (2, 2): "? 0.0"}
    assert "b to a$x −5.3 points: harmed" in chart.alt


def test_every_text_stands_out_from_its_cell(drawn: list[Figure]) -> None:
    steps = [x / 100 for x in range(-10, 11, 2)]
    verdicts = {("s", f"t{x}"): judge([0.5 + x] * 3, [0.5] * 3) for x in steps}
    heat_map_chart(verdicts, "t")
    axes = drawn[0].axes[0]
    cells = {round(p.get_x() + 0.5): p for p in axes.patches if isinstance(p, Rectangle)}
    assert len({tuple(cell.get_facecolor()) for cell in cells.values()}) == len(steps)
    for text in axes.texts:
        back = cells[round(text.get_position()[0])].get_facecolor()
        assert contrast(text.get_color(), back) >= ENOUGH


def test_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no pair"):
        heat_map_chart({}, "t")
