from __future__ import annotations

import io
import warnings
from dataclasses import replace

import matplotlib
import pytest
from PIL import Image

from hf_transfer_plugin.records import Choice, Phase, Report
from hf_transfer_plugin.report import draw_charts
from hf_transfer_plugin.report.canvas import drawable, drawable_classes
from hf_transfer_plugin.report.chart_curves import band
from hf_transfer_plugin.report.chart_schedule import boundaries, covers, schedule_chart
from tests.report import samples

NAMES = ["ranking", "verdict", "curves", "schedule", "confusion"]


def many_classes() -> Report:
    return samples.report(classes=tuple(f"breed {index} of many dogs" for index in range(120)))


def many_phases() -> Report:
    phases = tuple(
        Phase(("head", f"layer.{11 - n}"), (n + 1) / 12 if n < 11 else None, rate=0.8**n)
        for n in range(12)
    )
    made = samples.report(classes=tuple(f"class-{index}" for index in range(25)))
    plan = replace(made.transfer.plan, schedule=phases)
    return replace(made, results=(replace(made.transfer, plan=plan), *made.controls))


def scheduled(schedule: tuple[Phase, ...]) -> Report:
    made = samples.report()
    plan = replace(made.transfer.plan, schedule=schedule)
    return replace(made, results=(replace(made.transfer, plan=plan), *made.controls))


# name -> (phases, what their words say, what the caption says beside the usual)
SCHEDULES: dict[str, tuple[tuple[Phase, ...], list[str], bool]] = {
    "epoch": (
        (Phase(("head",), until_epoch=2), Phase(("bottom:1",), rates={"head": 0.1})),
        ["until epoch 2: the head", "the input and the first layer", "the head at 0.1 times"],
        False,
    ),
    "plateau": (
        (Phase(("head",), until_plateau=2), Phase(("*",))),
        ["until 2 evaluations without improvement: the head"],
        True,
    ),
    "plateau with an end": (
        (Phase(("head",), until_plateau=1, until_step=60), Phase(("*",))),
        ["until 1 evaluation without improvement, at the latest until step 60"],
        True,
    ),
    "rates": (
        (Phase(("*",), decay=0.5, curve="slanted_triangular", warmup=0.25),),
        ["times 0.5 for each layer down, in a slanted triangular curve of its own with 25%"],
        False,
    ),
    "random": (
        (Phase(("bottom:0", "top:0"), choose=Choice("random", 2, every=5, seed=0)),),
        ["the input and the head and 2 random layers, drawn anew every 5 steps"],
        True,
    ),
    "matrices": (
        (Phase(("top:0",), choose=Choice("signal_to_noise", share=0.25)),),
        ["the head and the best 25% of the matrices"],
        True,
    ),
    "settled": (
        (Phase(("*",), choose=Choice("settled_gradient", percentile=50, every=5)),),
        ["all layers, fewer as gradients settle"],
        True,
    ),
    "relative": (
        (Phase(("*",), choose=Choice("relative_gradient", every=1)),),
        ["all layers, each layer by its relative gradient"],
        True,
    ),
    "adapters": (
        (Phase(("*",), until_fraction=0.5), Phase(("*", "base:top:1"), rates={"base:*": 0.1})),
        ["the head and the last layer under adapters"],
        False,
    ),
}
CASES = {
    "plain": samples.report,
    "hostile": samples.hostile,
    "one seed": samples.without_intervals,
    "120 classes": many_classes,
    "12 phases, 25 classes": many_phases,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_in_words_and_as_a_picture(name: str) -> None:
    assert len(SCHEDULES) == 9
    schedule, words, is_open = SCHEDULES[name]
    chart = schedule_chart(scheduled(schedule))
    assert all(each in chart.alt for each in words), chart.alt
    assert ("Hatched: " in chart.caption) is is_open
    image = Image.open(io.BytesIO(chart.image)).convert("RGB")
    assert image.width == 1200
    # The colour of rates, and the grey of what is frozen, unless all train in every phase.
    colors = dict((color, count) for count, color in image.getcolors(1 << 24) or [])
    frozen = len(schedule) > 1 or name == "plateau"
    assert (colors.get((0xE6, 0xE8, 0xEB), 0) > 2000) is frozen
    assert max(n for (r, g, b), n in colors.items() if max(r, g, b) - min(r, g, b) > 60) > 5000


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
    assert "until 30% of training (probe): the head" in charts["schedule"].alt
    assert "Lowest recall:" in charts["confusion"].alt


def test_band_takes_only_steps_that_every_seed_reached(report: Report) -> None:
    first, *rest = report.transfer.seeds
    short = replace(first, curve=first.curve[:3])
    found = band(replace(report.transfer, seeds=(short, *rest)))
    assert found is not None
    assert found.steps.tolist() == [40, 80, 120]
    assert (found.low < found.mean).all() and (found.mean < found.high).all()
    assert band(report.controls[1]) is None


def test_boundaries_of_phases_given_in_steps_and_shares() -> None:
    schedule = (
        Phase(("head",), until_step=60),
        Phase(("top:1",), until_fraction=0.5),
        Phase(("top:2",), until_step=900),
        Phase(("*",)),
    )
    assert boundaries(schedule, 240) == [0.25, 0.5, 1.0, 1.0]
    assert boundaries(schedule[:1], 0) == [1.0]


def test_boundaries_of_epochs_and_plateaus() -> None:
    epochs = (Phase(("head",), until_epoch=1.5), Phase(("*",)))
    assert boundaries(epochs, 240, 6) == [0.25, 1.0]
    waiting = (
        Phase(("head",), until_fraction=0.1),
        Phase(("top:1",), until_plateau=1),
        Phase(("top:2",), until_plateau=1),
        Phase(("*",)),
    )
    assert boundaries(waiting, 240) == pytest.approx([0.1, 0.4, 0.7, 1.0])
    latest = (Phase(("head",), until_plateau=1, until_step=60), Phase(("*",)))
    assert boundaries(latest, 240) == [0.25, 1.0]


@pytest.mark.parametrize(
    ("chosen", "selector", "expected"),
    [
        ("*", "layer.3", True),
        ("top:3", "top:2", True),
        ("top:2", "top:3", False),
        ("top:0", "head", True),
        ("layer.1*", "layer.10", True),
        ("layer.1*", "layer.1?", False),
        ("layer.1", "head", False),
        ("*", "base:head", False),
        ("base:*", "base:head", True),
        ("base:*", "head", False),
        ("bottom:1", "bottom:1", True),
        ("bottom:1", "top:1", False),
        ("l*", "bottom:1", False),
    ],
)
def test_covers(chosen: str, selector: str, expected: bool) -> None:
    assert covers(chosen, selector) is expected


def test_names_that_cannot_be_drawn_or_told_apart_are_numbered() -> None:
    assert drawable("日本", "class 1") == "class 1"
    assert drawable("a\nb", "class 1") == "a b"
    assert drawable_classes(["cat", "日本"], 20) == ["cat", "class 1"]
    long = drawable_classes(["a" * 30 + "1" + "b" * 30, "a" * 30 + "2" + "b" * 30], 20)
    assert len(set(long)) == 2 and long[0].startswith("0: ")
