"""Progress on the terminal: one bar for each long step, silent where nobody watches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["progress", "track"]

_Item = TypeVar("_Item")


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Show a bar with the time left while the block runs.

    Args:
        description: what is going on.
        total: number of units.

    Yields:
        A function `(completed units, note)` that moves the bar.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", markup=False),
    )
    shown = console.is_terminal and first
    with Progress(*columns, console=console, disable=not shown, transient=True) as bar:
        task = bar.add_task(description, total=total, note="")

        def move(completed: int, note: str = "") -> None:
            bar.update(task, completed=completed, note=note)

        yield move


def track(items: Sequence[_Item], description: str) -> Iterator[_Item]:
    """Go through items with a bar."""
    with progress(description, len(items)) as move:
        for done, item in enumerate(items):
            yield item
            move(done + 1, "")
