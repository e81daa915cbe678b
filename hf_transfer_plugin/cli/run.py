"""`hf-tl run`: the whole line."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Run the whole line: rank, plan, train with controls, judge, report. Goes on if stopped."""
    from hf_transfer_plugin.cli.showing import show_explanation, show_ranking, show_result

    line = open_line(source, overrides)
    show_ranking(line.rank())
    show_explanation(line.explain())
    show_result(line.report(), line.folder)
