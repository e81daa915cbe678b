"""`hf-tl rank`: what to transfer."""

from __future__ import annotations

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]


def command(source: Source, overrides: Overrides = None) -> None:
    """Score the candidates beside baselines; writes ranking.json."""
    from hf_transfer_plugin.cli.showing import say, show_ranking

    line = open_line(source, overrides)
    show_ranking(line.rank())
    say(f"\nwritten: {line.folder / 'ranking.json'}")
