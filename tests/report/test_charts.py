from __future__ import annotations

import io
import warnings
from dataclasses import replace

import matplotlib
import pytest
from PIL import Image

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import draw_charts
from hf_transfer_plugin.report.canvas import drawable, drawable_classes
from hf_transfer_plugin.report.chart_curves import band
from tests.report import samples
from tests.report.histories import HISTORIES, report_of

NAMES = ["ranking", "verdict", "curves", "schedule", "confusion"]


def many_classes() -> Report:
    return samples.report(classes=tuple(f"breed {index} of many dogs" for index in range(120)))


def many_phases() -> Report:
    made = samples.report(classes=tuple(f"class-{index}" for index in range(25)))
    played = report_of(HISTORIES["many phases"]).transfer
    changed = replace(
        made.transfer,
        plan=replace(made.transfer.plan, schedule=played.plan.schedule),
        groups=played.groups,
        transitions=played.transitions,
    )
    return replace(made, results=(changed, *made.controls))


CASES = {
    "plain": samples.report,
    "hostile": samples.hostile,
    "one seed": samples.without_intervals,
    "120 classes": many_classes,
    "41 phases, 25 classes": many_phases,
}


@pytest.mark.parametrize("case", CASES)
def test_every_chart_is_drawn(case: str) -> None:
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as a glyph that the font lacks
        charts = draw_charts(CASES[case]())
    assert list(charts) == NAMES
    for chart in charts.values():
        image = Image.open(io.BytesIO(chart.image)).convert("RGB")
        assert image.width == 1200 and image.height >= 300
        colors = image.getcolors(image.width * image.height)
        assert colors is not None and len(colors) > 10
        assert max(count for count, _ in colors) < 0.99 * image.width * image.height
        assert len(chart.alt) > 15 and chart.title and chart.caption
    assert dict(matplotlib.rcParams) == before


def test_charts_are_reproducible(report: Report, files: dict[str, bytes]) -> None:
    for name, chart in draw_charts(report).items():
        assert chart.image == files[f"plots/{name}.png"]


def test_alt_texts_hold_the_figures(report: Report) -> None:
    charts = draw_charts(report)
    assert "sample:minilm ranks first" in charts["ranking"].alt
    assert "Not scored: org/gone" in charts["ranking"].alt
    assert "against majority" in charts["verdict"].alt
    assert "from-scratch goes from" in charts["curves"].alt
    assert "Step 0 to 72 (“probe”): head at 5e-5." in charts["schedule"].alt
    assert "Lowest recall:" in charts["confusion"].alt


def test_band_takes_only_steps_that_every_seed_reached(report: Report) -> None:
    first, *rest = report.transfer.seeds
    short = replace(first, curve=first.curve[:3])
    found = band(replace(report.transfer, seeds=(short, *rest)))
    assert found is not None
    assert found.steps.tolist() == [40, 80, 120]
    assert (found.low < found.mean).all() and (found.mean < found.high).all()
    assert band(report.controls[1]) is None


def test_names_that_cannot_be_drawn_or_told_apart_are_numbered() -> None:
    assert drawable("日本", "class 1") == "class 1"
    assert drawable("a\nb", "class 1") == "a b"
    assert drawable_classes(["cat", "日本"], 20) == ["cat", "class 1"]
    long = drawable_classes(["a" * 30 + "1" + "b" * 30, "a" * 30 + "2" + "b" * 30], 20)
    assert len(set(long)) == 2 and long[0].startswith("0: ")
