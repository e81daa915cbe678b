"""`hf-tl plan`: how to transfer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides, Source, open_line
from hf_transfer_plugin.errors import ConfigError

__all__ = ["command"]

Propose = Annotated[
    bool,
    typer.Option("--propose", help="Propose what the config leaves open: proposal.json."),
]
Budget = Annotated[
    float | None,
    typer.Option(metavar="MINUTES", help="Of training all seeds, pilot included (--propose)."),
]
Pilot = Annotated[
    bool,
    typer.Option(help="Let short trainings choose, on validation rows (--propose)."),
]


def command(
    source: Source,
    overrides: Overrides = None,
    propose: Propose = False,
    budget: Budget = None,
    pilot: Pilot = False,
) -> None:
    """Write plan.json (edit it if you like, then go on with the run folder) and explain it."""
    from hf_transfer_plugin.cli.proposal_table import show_proposal
    from hf_transfer_plugin.cli.showing import say, show_explanation

    _check(source, propose, budget, pilot)
    line = open_line(source, overrides)
    if propose:
        show_proposal(line.propose(budget_minutes=budget, pilot=pilot))
    show_explanation(line.explain())
    if propose:
        say(f"written: {line.folder / 'proposal.json'}")
    say(f"written: {line.folder / 'plan.json'}")


def _check(source: str, propose: bool, budget: float | None, pilot: bool) -> None:
    if budget is not None and not 0 < budget < float("inf"):
        raise ConfigError(
            arrived=f"--budget {budget:g}",
            expected="minutes above 0",
            action="correct --budget, or leave it out",
        )
    if not propose and (budget is not None or pilot):
        raise ConfigError(
            arrived="--pilot" if pilot else "--budget",
            expected="hf-tl plan CONFIG --propose, which it belongs to",
            action="add --propose",
        )
    if propose and Path(source).is_dir():
        raise ConfigError(
            arrived=f"--propose for the run folder {source}",
            expected="a config file: the plan.json of a run folder is taken as it is",
            action="give the config file, whose run_folder may be this one",
        )
