"""A report as the files of a run folder or of a repository."""

from __future__ import annotations

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.card import model_card
from hf_transfer_plugin.report.charts import draw_charts
from hf_transfer_plugin.report.page import html_page
from hf_transfer_plugin.report.public import redacted_report

__all__ = ["report_files"]


def report_files(
    report: Report, model_url: str | None = None, *, card_examples: bool = False
) -> dict[str, bytes]:
    """Return every file of a report: page, model card, record and charts.

    Nothing that looks like a token is in any of them. The card holds no absolute path either;
    page and record keep those of the command, so that it can be run again, and the test examples
    that are shown. To publish page and record too, pass `public_report(report)`.

    Args:
        report: what the run gave.
        model_url: where the model is, or will be, on the Hub.
        card_examples: show the test examples in the card too, where they are texts.

    Returns:
        Relative path with forward slashes -> content. "plots/NAME.png" are linked by the card.
    """
    report = redacted_report(report)
    charts = draw_charts(report)
    texts = {
        "report.html": html_page(report, charts, model_url),
        "README.md": model_card(report, charts, model_url, examples=card_examples),
        "report.json": report.to_text(),
    }
    files = {name: text.encode("utf-8", errors="replace") for name, text in texts.items()}
    return files | {f"plots/{name}.png": chart.image for name, chart in charts.items()}
