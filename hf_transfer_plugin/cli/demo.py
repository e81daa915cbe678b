"""`hf-tl demo`: the whole line on packaged models and data, without the Hub."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["command"]


class Which(StrEnum):
    """The two halves of the demo."""

    text = "text"
    images = "images"


def command(
    only: Annotated[Which | None, typer.Option(help="Run one half alone.")] = None,
    folder: Annotated[str, typer.Option(help="Where the run folders go.")] = "runs",
) -> None:
    """Run the line on docstrings (MiniLM) and on digits (EfficientNet-Lite0); no network needed."""
    from importlib.resources import as_file, files
    from pathlib import Path

    from hf_transfer_plugin.cli.showing import say, show_demo, show_explanation, show_ranking
    from hf_transfer_plugin.config import load_config
    from hf_transfer_plugin.line import Line

    finished = []
    for which in [only] if only else list(Which):
        with as_file(files("hf_transfer_plugin.samples") / f"demo_{which}.yaml") as path:
            target = Path(folder) / f"demo-{which}"
            config = load_config(path, [f"run_folder={target.as_posix()}"])
        say(f"\n{config.title}")
        line = Line(config, command=f"hf-tl demo --only {which}")
        show_ranking(line.rank())
        show_explanation(line.explain())
        finished.append((line.report(), line.folder))
    show_demo(finished)
