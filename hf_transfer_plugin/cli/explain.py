"""`hf-tl explain`: what a plan will do and cost."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Say per phase what trains, at which rate, and what it costs; nothing is trained."""
    from hf_transfer_plugin.cli.showing import show_explanation

    show_explanation(open_line(source, overrides).explain())
