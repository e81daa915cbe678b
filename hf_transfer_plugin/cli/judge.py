"""`hf-tl judge`: when to transfer."""

from __future__ import annotations

from typing import Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line
from hf_transfer_plugin.errors import ConfigError

__all__ = ["command"]

Until = Annotated[
    bool,
    typer.Option("--until-settled", help="Train one more seed at a time until it is decided."),
]
Most = Annotated[
    int | None,
    typer.Option(
        min=2, help="Seeds at which --until-settled stops, decided or not.  [default: 20]"
    ),
]


def command(
    source: Source,
    overrides: Overrides = None,
    until_settled: Until = False,
    most_seeds: Most = None,
) -> None:
    """Judge transfer against its controls (trains what is missing); writes verdict.json."""
    from hf_transfer_plugin.cli.showing import show_look, show_verdict

    if most_seeds is not None and not until_settled:
        raise ConfigError(
            arrived=f"--most-seeds {most_seeds} without --until-settled",
            expected="both, or neither: the seeds of the config are all that is trained",
            action="add --until-settled, or give the config seeds=N",
        )
    line = open_line(source, overrides)
    if not until_settled:
        show_verdict(line.judge())
        return
    from hf_transfer_plugin.until_settled import MOST_SEEDS, judge_until_settled

    show_verdict(judge_until_settled(line, most_seeds or MOST_SEEDS, show_look))
