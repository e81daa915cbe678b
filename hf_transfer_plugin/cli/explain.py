"""`hf-tl explain`: what a plan will do and cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line

__all__ = ["command"]

Picture = Annotated[
    Path | None,
    typer.Option(metavar="FILE.png", help="Draw layers over steps, coloured by rate, as well."),
]


def command(source: Source, overrides: Overrides = None, picture: Picture = None) -> None:
    """Say per phase what trains, at which rate, and what it costs; nothing is trained."""
    from hf_transfer_plugin.cli.showing import say, show_explanation
    from hf_transfer_plugin.processes import is_first

    explanation = open_line(source, overrides).explain()
    show_explanation(explanation)
    if picture is not None and is_first():
        say(f"\nwritten: {explanation.picture(picture)}")
