"""The objective in card and page."""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.records import Objective, Report
from hf_transfer_plugin.report import report_files


def test_name_source_and_options_stand_in_card_and_page(report: Report) -> None:
    plan = replace(report.transfer.plan, objective=Objective("l2sp", {"alpha": 0.5}))
    transfer = replace(report.transfer, plan=plan)
    told = report_files(replace(report, results=(transfer, *report.controls)))
    for name in ("README.md", "report.html"):
        text = told[name].decode().replace("\\", "")
        assert "l2sp (L2-SP, Li et al. 2018; alpha 0.5, beta 0.01)" in text
        assert "the weights stay near those of the source" in text
