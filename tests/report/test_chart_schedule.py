"""The picture of the schedule, read back from what is drawn."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.figure import Figure
from PIL import Image

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.records import Phase, Report, Transition
from hf_transfer_plugin.report import chart_schedule
from hf_transfer_plugin.report.canvas import Chart, png
from hf_transfer_plugin.report.chart_schedule import schedule_chart
from hf_transfer_plugin.report.rate_colors import RateColors
from tests.report import samples
from tests.report.histories import (
    HISTORIES,
    IMAGES,
    LARGE,
    STEPS,
    History,
    layers,
    report_of,
    transitions,
)

Color = tuple[float, ...]
FROZEN = to_rgba("#e6e8eb")
RATE = 5e-5


def test_the_table_is_whole() -> None:
    assert len(HISTORIES) == 9
    counts = {name: (len(each.groups), len(each.made)) for name, each in HISTORIES.items()}
    assert counts["gradual"] == (9, 8) and counts["lisa"] == (14, 20)
    assert counts["many groups"] == (42, 2) and counts["many phases"] == (42, 41)


def drawn(report: Report, monkeypatch: pytest.MonkeyPatch) -> tuple[Chart, Figure]:
    figures: list[Figure] = []

    def kept(figure: Figure) -> bytes:
        figures.append(figure)
        return png(figure)

    monkeypatch.setattr(chart_schedule, "png", kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = schedule_chart(report)
    (figure,) = figures
    return chart, figure


def colors(figure: Figure) -> dict[tuple[int, int], Color]:
    """Return (row, step) -> colour, and fail where a place has none or two."""
    found: dict[tuple[int, int], Color] = {}
    for collection in figure.axes[0].collections:
        paths: Sequence[Any] = collection.get_paths()
        for path, color in zip(paths, to_rgba_array(collection.get_facecolor()), strict=True):
            (left, low), (right, high) = path.vertices.min(0), path.vertices.max(0)
            for step in range(round(left), round(right)):
                key = (round((low + high) / 2), step)
                assert key not in found
                found[key] = tuple(color)
    return found


def row_names(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("name", HISTORIES)
def test_what_is_drawn_is_what_happened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    history = HISTORIES[name]
    report = report_of(history)
    chart, figure = drawn(report, monkeypatch)
    rows = [row.replace(", under adapters", "") for row in row_names(figure)]
    keys = [
        f"base:{row}" if row in rows[:index] else row for index, row in enumerate(rows)
    ]  # base weights lie under their adapters
    assert [key for key in reversed(keys) if ":" not in key] == list(history.groups.names)
    assert set(keys) == set(report.transfer.groups)
    every = RateColors(RATE * f for each in history.made for f in each.factors.values())
    shown = colors(figure)
    assert len(shown) == len(keys) * STEPS
    for (row, step), color in shown.items():
        now = [each for each in history.made if each.step <= step][-1]
        factor = now.factors.get(keys[row])
        expected = FROZEN if factor is None else every.color(RATE * factor)
        assert color == pytest.approx(expected), (keys[row], step)
    firsts = {each.phase: each.step for each in reversed(history.made)}
    borders = [line.get_xdata()[0] for line in figure.axes[0].lines]  # type: ignore[index]
    assert borders == sorted(firsts.values())[1:]
    assert all(part in chart.alt for part in history.alt), chart.alt
    assert all(part in chart.caption for part in history.caption), chart.caption
    assert ("not reached" in chart.caption) is (name == "plateau")
    assert Image.open(io.BytesIO(chart.image)).width == 1200


def test_phases_are_named_once_and_rates_are_written_where_they_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {}
    for name in ("gradual", "lisa", "auto freeze", "many phases"):
        _, figure = drawn(report_of(HISTORIES[name]), monkeypatch)
        texts[name] = [text.get_text() for text in figure.axes[0].texts]
    phases = ["head", *(f"top {index}" for index in range(1, 7)), "full"]
    assert texts["gradual"][-8:] == phases and texts["gradual"].count("5e-5") == 16
    assert texts["lisa"] == ["LISA"]
    assert texts["auto freeze"] == ["5e-5"] * 9 + ["AutoFreeze"]
    # Not all of 41 names can be read; the first ones of a crowd are left.
    assert 15 <= len(texts["many phases"]) <= 22 and texts["many phases"][0] == "head"


def test_names_of_very_many_rows_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = layers(150)
    schedule = FreezingSchedule.lp_ft()
    history = History(schedule, groups, transitions(schedule, groups), ())
    _, figure = drawn(report_of(history), monkeypatch)
    names = row_names(figure)
    assert len(names) == 153 and 40 <= sum(map(bool, names)) <= 61
    assert (names[0], names[-1]) == ("head", "embeddings")
    assert figure.get_figheight() < 16


def test_a_thousand_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = FreezingSchedule.lisa(2, every=1)
    made = transitions(schedule, LARGE)
    assert len(made) > 200
    chart, figure = drawn(report_of(History(schedule, LARGE, made, ())), monkeypatch)
    assert len(colors(figure)) == len(LARGE) * STEPS
    assert f"changed {len(made) - 1} times" in chart.alt


def test_a_run_that_stopped_early_ends_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    made = samples.report()
    seeds = tuple(replace(seed, steps=100) for seed in made.transfer.seeds)
    early = replace(made, results=(replace(made.transfer, seeds=seeds), *made.controls))
    chart, figure = drawn(early, monkeypatch)
    assert figure.axes[0].get_xlim() == (0, 100)
    assert "Step 72 to 100 (“top layers”)" in chart.alt and "everything" not in chart.alt
    assert "“everything” was not reached." in chart.caption


def test_rate_and_steps_are_those_of_the_kept_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = samples.report()
    seeds = tuple(
        replace(seed, learning_rate=1e-3 * (seed.seed + 1), steps=200 + seed.seed)
        for seed in made.transfer.seeds
    )
    changed = replace(made.transfer, seeds=seeds, best_seed=1)
    chart, _ = drawn(replace(made, results=(changed, *made.controls)), monkeypatch)
    assert "the 201 optimizer steps of seed 1. Step 0 to 72 (“probe”): head at 0.002." in chart.alt


@pytest.mark.parametrize("trained", [True, False])
def test_a_result_without_history(trained: bool) -> None:
    """Of a baseline, or of a file that an earlier version wrote."""
    made = samples.report()
    bare = made.results[0 if trained else 2]
    bare = replace(bare, groups=(), transitions=())
    chart = schedule_chart(replace(made, results=(bare, *made.controls)))
    assert ("run the plan again" in chart.caption) is trained
    assert ("no network was trained" in chart.alt) is not trained
    assert Image.open(io.BytesIO(chart.image)).width == 1200


def test_names_that_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = ("日本", "$\\frac$", "two\nlines", "x" * 90)
    made = samples.report()
    plan = replace(made.transfer.plan, schedule=(Phase(("*",), name="日本 $x$\n"),))
    changed = replace(
        made.transfer,
        plan=plan,
        groups=groups,
        transitions=(Transition(0, 0, dict.fromkeys(groups[1:], 1.0)),),
    )
    chart, figure = drawn(replace(made, results=(changed, *made.controls)), monkeypatch)
    names = row_names(figure)
    assert names[1:] == ["two lines", "$\\frac$", "group 4"] and len(names[0]) == 30
    assert figure.axes[0].texts[-1].get_text() == "1"
    assert "\n" not in chart.alt


def test_images_have_as_many_groups_as_a_large_network() -> None:
    assert len(IMAGES) == 42
