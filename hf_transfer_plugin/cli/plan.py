"""`hf-tl plan`: how to transfer."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Write plan.json (edit it if you like, then go on with the run folder) and explain it."""
    from hf_transfer_plugin.cli.showing import say, show_explanation

    line = open_line(source, overrides)
    show_explanation(line.explain())
    say(f"written: {line.folder / 'plan.json'}")
