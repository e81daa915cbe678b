"""Tables of the results."""

from __future__ import annotations

from measured.table import Table
from tuning.lines import Lines

__all__ = ["tables"]


def tables(lines: Lines) -> list[Table]:
    """Return the tables."""
    return []
