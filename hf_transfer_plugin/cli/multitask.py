"""`hf-tl multitask`: several tasks on one network, held against each task alone."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from hf_transfer_plugin.cli.opening import Overrides

__all__ = ["command"]

Config = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML config with `tasks`.")]


def command(config: Config, overrides: Overrides = None) -> None:
    """Train tasks together on one network and each alone; say whom it helped and whom it harmed.

    Goes on if stopped. Keeps a model for each task that plain transformers loads.
    """
    from hf_transfer_plugin.cli.showing import show_multitask
    from hf_transfer_plugin.multitask_config import load_multitask_config
    from hf_transfer_plugin.multitask_line import MultitaskLine
    from hf_transfer_plugin.processes import require_processes

    changes = overrides or []
    loaded = load_multitask_config(config, changes)
    require_processes(loaded.processes)
    line = MultitaskLine(loaded, command=shlex.join(["hf-tl", "multitask", config, *changes]))
    show_multitask(line.report(), line.folder)
