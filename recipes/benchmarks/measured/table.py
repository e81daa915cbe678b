"""A table: rich on a terminal, Markdown for a page."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table as RichTable

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """A titled table of texts."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.headers, ("---",) * len(self.headers), *self.rows]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in lines)])

    def rich(self) -> RichTable:
        """Return the table for a rich console."""
        table = RichTable(*self.headers, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table
