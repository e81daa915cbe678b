"""The command `hf-tl`: one subcommand for each arrow of the line, one file for each subcommand."""

from __future__ import annotations

import typer

from hf_transfer_plugin.cli import (
    cache,
    demo,
    doctor,
    embeddings,
    explain,
    few_shot,
    judge,
    multitask,
    plan,
    profile,
    publish,
    rank,
    report,
    rescue,
    run,
    zero_shot,
)
from hf_transfer_plugin.command_session import session

__all__ = ["app", "main"]

app = typer.Typer(
    name="hf-tl",
    help="Transfer learning for Hugging Face: what to transfer, when, and how.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_ARROWS = (run, rank, profile, plan, explain, judge, rescue, report, publish)
_OTHERS = (multitask, few_shot, zero_shot, embeddings, cache, doctor)
for command in (demo, *_ARROWS, *_OTHERS):
    # Inside Typer, which would turn Ctrl-C and the end of a command into exits of its own.
    name = command.__name__.rpartition(".")[2].replace("_", "-")
    app.command(name=name)(session()(command.command))


def main() -> None:
    """Run the command line."""
    app()
