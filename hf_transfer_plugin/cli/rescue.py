"""`hf-tl rescue`: what to do when the verdict is no go."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Climb down from a transfer that may harm: rescue.json, rescued/, report. Goes on if stopped.

    LP-FT, WiSE-FT, greedy soup, adapter only, frozen probe, the control: the first that validation
    shows to be no worse than the control.
    """
    from hf_transfer_plugin.cli.showing import say, show_rescue, show_rung
    from hf_transfer_plugin.ladder.climbing import rescue

    line = open_line(source, overrides)
    show_rescue(rescue(line, show_rung), line.folder)
    line.report()
    say(f"report  {line.folder / 'report.html'}")
