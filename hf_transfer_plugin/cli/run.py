"""`hf-tl run`: the whole line."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Run the whole line: rank, plan, train with controls, judge, report. Goes on if stopped.

    With `watch: rescue`, a transfer that an alarm hands over goes on down the ladder of rescues.
    """
    from hf_transfer_plugin.cli.showing import (
        show_explanation,
        show_handing_over,
        show_ranking,
        show_rescue,
        show_result,
        show_rung,
    )
    from hf_transfer_plugin.ladder.climbing import rescue

    line = open_line(source, overrides)
    show_ranking(line.rank())
    show_explanation(line.explain())
    transfer = line.run()[0]
    if transfer.handed_over():
        show_handing_over(transfer)
        show_rescue(rescue(line, show_rung), line.folder)
    show_result(line.report(), line.folder)
