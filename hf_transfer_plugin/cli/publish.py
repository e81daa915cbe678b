"""`hf-tl publish`: the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    run_folder: Annotated[str, typer.Argument(help="The folder of a finished run.")],
    repo_id: Annotated[str, typer.Argument(help="Where to publish: ORG/NAME, or NAME.")],
    private: Annotated[bool, typer.Option(help="Only members may see it.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch; main without it.")] = None,
    examples: Annotated[
        bool, typer.Option("--examples", help="Show the test examples of the report: rows of data.")
    ] = False,
) -> None:
    """Publish model, card, plots and report in one commit; again after a failure goes on.

    The token is the one of `hf auth login`, or HF_TOKEN.
    """
    from hf_transfer_plugin.cli.showing import say
    from hf_transfer_plugin.hub import publish
    from hf_transfer_plugin.records import Report

    folder = Path(run_folder)
    record = Report.load(folder / Report.file_name)
    url = publish(
        record,
        folder / "model",
        repo_id,
        private=private,
        revision=revision,
        examples=examples,
    )
    say(f"published: {url}")
