"""`hf-tl report`: the report and the model card."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Write report.html, README.md (the card), report.json and the plots."""
    from hf_transfer_plugin.cli.showing import show_result

    line = open_line(source, overrides)
    show_result(line.report(), line.folder)
