"""The arguments that every arrow shares: a config with overrides, or the folder of a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_transfer_plugin.errors import ConfigError

if TYPE_CHECKING:
    from hf_transfer_plugin.line import Line

__all__ = ["Overrides", "Source", "open_line"]

Source = Annotated[
    str,
    typer.Argument(metavar="CONFIG|RUN_FOLDER", help="A YAML config, or the folder of a run."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Override config keys: seeds=3 data.label=y"),
]


def open_line(source: str, overrides: list[str] | None) -> Line:
    """Open the line of a config file, or pick up the one of a run folder."""
    from hf_transfer_plugin.config import load_config
    from hf_transfer_plugin.line import Line
    from hf_transfer_plugin.processes import require_processes

    changes = overrides or []
    if Path(source).is_dir():
        if changes:
            raise ConfigError(
                arrived=f"overrides {' '.join(changes)} for the run folder {source}",
                expected="a run folder alone: its config.json and plan.json are taken as they are",
                action="give the config file with the overrides, or edit plan.json",
            )
        line = Line.open(source)
    else:
        command = shlex.join(["hf-tl", "run", source, *changes])
        line = Line(load_config(source, changes), command=command)
    require_processes(line.config.processes)
    return line
