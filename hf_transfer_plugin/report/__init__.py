"""A report record to HTML, pictures, a model card and a table: pure, without files or network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_transfer_plugin.report.card import model_card
    from hf_transfer_plugin.report.charts import draw_charts
    from hf_transfer_plugin.report.files import report_files
    from hf_transfer_plugin.report.page import html_page
    from hf_transfer_plugin.report.public import public_report
    from hf_transfer_plugin.report.summary import summary_table

__all__ = [
    "draw_charts",
    "html_page",
    "model_card",
    "public_report",
    "report_files",
    "summary_table",
]

_HOMES = {
    "draw_charts": "charts",
    "html_page": "page",
    "model_card": "card",
    "public_report": "public",
    "report_files": "files",
    "summary_table": "summary",
}


def __getattr__(name: str) -> Any:
    # Matplotlib, jinja2 and scipy load only when something is drawn or written.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
