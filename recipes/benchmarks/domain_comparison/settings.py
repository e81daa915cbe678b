"""What holds for all trainings of a results file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from domain_comparison.places import GROUPS, Group

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where rows and networks come from.

    Attributes:
        data: holds a folder of domains for each group.
        work: for caches, and for checkpoints that learned on unlabelled rows.
        threads: of torch, in each process.
        device: what it runs on; each result names its own.
    """

    data: str
    work: str
    threads: int
    device: str

    def environment(self) -> dict[str, Any]:
        """Return all that a result depends on beside its own key and its device."""
        return {"threads": self.threads, "groups": {name: _told(GROUPS[name]) for name in GROUPS}}


def _told(group: Group) -> dict[str, Any]:
    """Return the budget of a group as JSON has it."""
    found = asdict(group)
    for name in ("pairs", "steps", "classes", "folder"):  # of the key, and of the data
        del found[name]
    return {**found, "rates": list(group.rates)}
