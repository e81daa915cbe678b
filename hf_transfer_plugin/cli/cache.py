"""`hf-tl cache`: the activations of frozen layers that are kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hf_transfer_plugin.prefix.cache_folder import EntryInfo

__all__ = ["command"]

Folder = Annotated[
    Path | None,
    typer.Option(help="The cache; without it $HF_TL_CACHE, or a folder inside $HF_HOME."),
]
Delete = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Delete this entry; may be repeated.")
]
DeleteAll = Annotated[bool, typer.Option("--delete-all", help="Delete every entry.")]
OlderThan = Annotated[
    float | None,
    typer.Option(metavar="DAYS", min=0, help="Only entries that nobody opened for so long."),
]


def command(
    folder: Folder = None,
    delete: Delete = None,
    delete_all: DeleteAll = False,
    older_than: OlderThan = None,
) -> None:
    """List the cached activations of frozen layers, or delete some; a deleted one costs time only.

    An entry that a run is filling is not deleted.
    """
    from hf_transfer_plugin.cli.showing import say
    from hf_transfer_plugin.errors import ConfigError
    from hf_transfer_plugin.prefix import cache_folder
    from hf_transfer_plugin.prefix.disk_errors import size_text

    root = folder or cache_folder.default_folder()
    if delete and delete_all:
        raise ConfigError(
            arrived="--delete and --delete-all",
            expected="one of them",
            action="leave one out",
        )
    if delete or delete_all:
        done = cache_folder.delete(root, delete or None, older_than)
        say(f"deleted {_entries(len(done.names))}, {size_text(done.bytes)} freed")
        return
    found = cache_folder.entries(root, older_than)
    if found:
        _show(found)
    total = size_text(sum(each.bytes for each in found))
    say(f"{_entries(len(found))}, {total}, in {root}")


def _entries(number: int) -> str:
    return f"{number} entr{'y' if number == 1 else 'ies'}"


def _show(found: list[EntryInfo]) -> None:
    from datetime import datetime

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hf_transfer_plugin.prefix.disk_errors import size_text
    from hf_transfer_plugin.processes import is_first

    table = Table(title="Cached activations")
    table.add_column("entry", overflow="fold")
    for heading in ("size", "rows", "filled", "last used"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        table.add_row(
            Text(each.name).append(f"\n{each.note}" if each.note else ""),
            size_text(each.bytes),
            "?" if each.rows is None else f"{each.rows:,}",
            f"{int(100 * each.filled)}%",
            datetime.fromtimestamp(each.used).strftime("%Y-%m-%d"),
        )
    if is_first():
        Console(highlight=False).print(table)
