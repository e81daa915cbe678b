"""`hf-tl rank`: what to transfer."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Score the candidates beside baselines; writes ranking.json."""
    from hf_transfer_plugin.cli.showing import show_ranking

    show_ranking(open_line(source, overrides).rank())
