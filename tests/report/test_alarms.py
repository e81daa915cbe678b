"""Alarms of the runs stand in page and card."""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.records import Alarm, Report, SeedResult
from hf_transfer_plugin.report.alarms import alarm_sentences
from hf_transfer_plugin.report.card import model_card
from hf_transfer_plugin.report.charts import draw_charts
from hf_transfer_plugin.report.page import html_page
from tests.report import samples


def alarmed(count: int) -> Report:
    report = samples.report()
    alarms = tuple(
        Alarm(step, "collapse", "one class predicted <b>", 1.0, 0.5, "stop")
        for step in range(count)
    )
    first = replace(report.transfer.seeds[0], alarms=alarms)
    transfer = replace(report.transfer, seeds=(first, *report.transfer.seeds[1:]))
    return replace(report, results=(transfer, *report.controls))


def test_page_and_card_show_alarms() -> None:
    report = alarmed(2)
    charts = draw_charts(report)
    page, card = html_page(report, charts), model_card(report, charts)
    assert "2 alarms while training: reasons to look, no test." in page
    assert "step 1 (collapse, stop): one class predicted &lt;b&gt;." in page
    assert "- 2 alarms while training" in card and "one class predicted" in card
    quiet = samples.report()
    assert "alarms" not in html_page(quiet, charts) and "alarms" not in model_card(quiet, charts)


def test_many_alarms_are_cut_short() -> None:
    sentences = alarm_sentences(alarmed(14))
    assert len(sentences) == 14 and sentences[0].startswith("14 alarms")
    assert sentences[-1] == "2 more."


def test_results_of_earlier_versions_load() -> None:
    seed = samples.report().transfer.seeds[0]
    data = seed.to_json()
    del data["alarms"]
    assert SeedResult.from_json(data) == seed
