"""Progress on the terminal: one bar for each long step, silent where nobody watches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

__all__ = ["Move", "progress", "track"]

_Item = TypeVar("_Item")


class Move(Protocol):
    """Moves a bar."""

    def __call__(self, completed: int, total: int, note: str = "") -> None:
        """Show `completed` of `total` units, with a note behind the bar."""


@contextmanager
def progress(description: str) -> Iterator[Move]:
    """Show a bar with the time left while the block runs.

    Args:
        description: what is going on.

    Yields:
        A function that moves the bar.
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
        task = bar.add_task(description, total=None, note="")

        def move(completed: int, total: int, note: str = "") -> None:
            bar.update(task, completed=completed, total=total, note=note)

        yield move


def track(items: Sequence[_Item], description: str) -> Iterator[_Item]:
    """Go through items with a bar."""
    with progress(description) as move:
        for done, item in enumerate(items):
            yield item
            move(done + 1, len(items))
