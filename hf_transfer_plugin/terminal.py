"""Progress on the terminal: one bar for each long step, silent where nobody watches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from hf_transfer_plugin.outlook import current_outlook

__all__ = ["Move", "progress", "track"]

_Item = TypeVar("_Item")


class Move(Protocol):
    """Moves a bar."""

    def __call__(self, completed: int, total: int, note: str = "") -> None:
        """Show `completed` of `total` units, with a note behind the bar."""


@contextmanager
def progress(description: str, plan: str | None = None) -> Iterator[Move]:
    """Show a bar with the time left while the block runs.

    Args:
        description: what is going on.
        plan: name of the plan that trains; behind the bar then stands what of the run is left.

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
    outlook = current_outlook() if plan is not None else None
    # The time of a whole run takes the place of that of one training.
    times = () if outlook else (TimeElapsedColumn(), TimeRemainingColumn(compact=True))
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(bar_width=12 if outlook else 40),
        MofNCompleteColumn(),
        *times,
        TextColumn("{task.fields[note]}", markup=False),
    )
    shown = console.is_terminal and first
    with Progress(*columns, console=console, disable=not shown, transient=True) as bar:
        if outlook is not None and plan is not None:
            outlook.begin(plan)

        def noted(note: str, share: float) -> str:
            said = (outlook.words(share) if outlook is not None else "", note)
            return "; ".join(filter(None, said))

        task = bar.add_task(description, total=None, note=noted("", 0.0))

        def move(completed: int, total: int, note: str = "") -> None:
            told = noted(note, completed / max(total, 1))
            bar.update(task, completed=completed, total=total, note=told)

        yield move
        if outlook is not None:
            outlook.end()


def track(items: Sequence[_Item], description: str) -> Iterator[_Item]:
    """Go through items with a bar."""
    with progress(description) as move:
        for done, item in enumerate(items):
            yield item
            move(done + 1, len(items))
