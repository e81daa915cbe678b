"""Classes and single test examples in page and card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import draw_charts, html_page, model_card
from hf_transfer_plugin.report.harm_rows import (
    class_cells,
    harmed_classes,
    hidden_cells,
    hidden_sentence,
)
from tests.report import samples


@pytest.fixture(scope="module")
def harmed() -> Report:
    """Worse in every class, and a little noise in the control."""
    return samples.report(0.60, 0.90)


def test_each_class_has_its_interval_and_outcome(report: Report) -> None:
    cells = class_cells(report)
    assert len(cells.rows) == len(samples.CLASSES)
    for row, judged in zip(cells.rows, report.verdict.classes, strict=True):
        assert row[1:3] == (judged.name, str(judged.examples))
        assert " to " in row[6]
        assert judged.outcome in row[7]
    assert "is 5% at most (Holm's correction)" in cells.caption


def test_classes_of_an_older_report_are_compared_by_means(harmed: Report) -> None:
    cells = class_cells(replace(harmed, verdict=replace(harmed.verdict, classes=())))
    assert "a difference of means, not a test" in cells.caption
    assert {row[6] for row in cells.rows} == {""}
    assert any(row[7] == "▼ harmed" for row in cells.rows)


def test_the_card_shows_harmed_classes_alone(report: Report, harmed: Report) -> None:
    assert harmed_classes(report) is None
    cells = harmed_classes(harmed)
    names = [each.name for each in harmed.verdict.classes if each.outcome == "harmed"]
    assert cells is not None and [row[0] for row in cells.rows] == names != []


def test_hidden_harm_is_counted_beside_noise(report: Report) -> None:
    hidden = report.verdict.hidden
    assert hidden is not None and 0 < hidden.lost < hidden.won and hidden.expected > 0
    text = hidden_sentence(report)
    share = f"{100 * hidden.lost / 300:.1f}%"
    assert text.startswith(f"{hidden.lost} of 300 test examples ({share}) are answered right by ")
    assert "“from-scratch” and wrong by transfer in most of the 5 seeds" in text
    assert f"more seeds of that control, each would be about {hidden.expected:.1f} " in text
    none = replace(report, verdict=replace(report.verdict, hidden=None))
    assert "were not compared" in hidden_sentence(none)
    assert hidden_cells(none) is None


def test_lost_examples_are_shown_with_both_answers(harmed: Report) -> None:
    cells, hidden = hidden_cells(harmed), harmed.verdict.hidden
    assert cells is not None and hidden is not None and len(hidden.lost_examples) == 20
    assert [row[0] for row in cells.rows] == [str(each) for each in hidden.lost_examples[:10]]
    for number, truth, ours, theirs, text in cells.rows:
        assert text.startswith("What is the population")
        assert truth == theirs != ours
        assert truth == samples.CLASSES[harmed.transfer.labels[int(number)]]


def test_page_and_card_say_so(harmed: Report) -> None:
    charts = draw_charts(harmed)
    page, card = html_page(harmed, charts), model_card(harmed, charts)
    first = str(hidden_cells(harmed).rows[0][0])  # type: ignore[union-attr]
    assert f"<dt>Number</dt><dd>{first}</dd>" in page
    assert "## Harm behind the mean" in card and f"\n| {first} | " in card
    for text in (page, card):
        assert "more seeds of that control" in text and "▼ harmed" in text


def test_a_report_that_was_looked_at_says_so(report: Report) -> None:
    transfer, scratch = report.results[:2]
    verdict = judge(transfer, scratch, sequential=True)
    made = replace(report, verdict=replace(verdict, others=report.verdict.others))
    charts = draw_charts(made)
    for text in (html_page(made, charts), model_card(made, charts)):
        assert "95% anytime-valid interval" in text
        assert "it holds however often that was" in text
