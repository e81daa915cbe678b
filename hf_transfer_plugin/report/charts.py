"""All charts of a report."""

from __future__ import annotations

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.canvas import Chart
from hf_transfer_plugin.report.chart_confusion import confusion_chart
from hf_transfer_plugin.report.chart_curves import curves_chart
from hf_transfer_plugin.report.chart_ranking import ranking_chart
from hf_transfer_plugin.report.chart_schedule import schedule_chart
from hf_transfer_plugin.report.chart_verdict import verdict_chart

__all__ = ["draw_charts"]


def draw_charts(report: Report) -> dict[str, Chart]:
    """Return the charts by name, in reading order: what, when, how, then the details."""
    return {
        "ranking": ranking_chart(report),
        "verdict": verdict_chart(report),
        "curves": curves_chart(report),
        "schedule": schedule_chart(report),
        "confusion": confusion_chart(report),
    }
