"""`hf-tl judge`: when to transfer."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Judge transfer against its controls (trains what is missing); writes verdict.json."""
    from hf_transfer_plugin.cli.showing import show_verdict

    show_verdict(open_line(source, overrides).judge())
