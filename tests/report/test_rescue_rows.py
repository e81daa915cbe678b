"""The section "Rescue" of page and card."""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.records import Report, Rescue, Rung
from hf_transfer_plugin.report.card import model_card
from hf_transfer_plugin.report.charts import draw_charts
from hf_transfer_plugin.report.page import html_page
from hf_transfer_plugin.report.rescue_rows import rescue_cells, rescue_sentence

NASTY = "<script>alert(1)</script> | *x*"
RUNGS = (
    Rung("lp-ft", False, NASTY, (0.5, 0.6), -0.1, -0.25, 0.05, NASTY, 12.0),
    Rung("adapter-only", False, "skipped: nothing takes an adapter"),
    Rung("frozen-probe", True, "fine", (0.8, 0.8), 0.1, 0.05, 0.15, "rate 0.01", 3.0),
)


def _with(report: Report, **keys: object) -> Report:
    return replace(report, rescue=Rescue(report.verdict, **keys))  # type: ignore[arg-type]


def test_every_rung_with_its_interval(hub_report: Report) -> None:
    report = _with(hub_report, rungs=RUNGS, finished=True, kept_seed=0, verdict=hub_report.verdict)
    cells = rescue_cells(report)
    assert cells is not None
    assert cells.rows[0][1:5] == ("55.0%", "−10.0", "−25.0 to +5.0", "no")
    assert cells.rows[1] == (
        "adapter only",
        "–",
        "–",
        "–",
        "no",
        "skipped: nothing takes an adapter",
        "0.0",
    )
    assert cells.rows[2][0] == "frozen probe (rate 0.01)" and cells.rows[2][4] == "yes"
    sentence = rescue_sentence(report)
    assert sentence.startswith("Accepted on validation: frozen probe. The test split was read once")
    assert sentence.endswith("Its weights are in the folder “rescued”.")


def test_page_and_card_escape_it(hub_report: Report) -> None:
    report = _with(hub_report, rungs=RUNGS, finished=True)
    charts = draw_charts(report)
    page, card = html_page(report, charts), model_card(report, charts)
    assert "<h3>Rescue</h3>" in page and "## Rescue" in card
    assert "<script" not in page and "<script" not in card
    assert "&lt;script&gt;" in page


def test_the_ends_of_a_ladder(hub_report: Report) -> None:
    assert rescue_cells(hub_report) is None and rescue_sentence(hub_report) == ""
    assert rescue_cells(_with(hub_report)) is None
    assert "hf-tl rescue again" in rescue_sentence(_with(hub_report, rungs=RUNGS))
    last = Rung("return-control", True, "it is the control", (0.8, 0.8), 0.0, 0.0, 0.0)
    returned = rescue_sentence(_with(hub_report, rungs=(last,), finished=True, kept_seed=1))
    assert returned.startswith("No rung was accepted, so the control itself is returned.")
    assert "rescued" in returned


def test_a_report_of_an_earlier_version_has_no_ladder(hub_report: Report) -> None:
    data = hub_report.to_json()
    del data["rescue"]
    assert Report.from_json(data).rescue is None
