"""Finished parts of a ranking on disk, so that one that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hf_transfer_plugin.records import Candidate
from hf_transfer_plugin.serialization import Record

__all__ = ["KeptScores", "Scored", "weights_state"]


@dataclass(frozen=True)
class Scored(Record):
    """A row of the ranking with what only its making needs.

    Attributes:
        candidate: the row.
        draws: its ordering score on each half sample.
        best_draws: that of its best layer, where every layer is scored; else the same.
    """

    candidate: Candidate
    draws: tuple[float, ...]
    best_draws: tuple[float, ...]


class KeptScores:
    """One JSON file for each row that is finished.

    Args:
        folder: where they lie; None keeps nothing.
        asked: everything that the rows of one ranking share, as JSON; rows of another one are
            not found.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, asked: Any) -> None:
        self._folder = None if folder is None else Path(folder)
        self._asked = asked

    def get(self, key: Any, make: Callable[[], Scored]) -> Scored:
        """Return the row that is kept for a key, else make and keep it."""
        if self._folder is None:
            return make()
        text = json.dumps([self._asked, key], sort_keys=True)
        path = self._folder / f"{sha256(text.encode()).hexdigest()[:24]}.json"
        scored = Scored.load_usable(path)
        if scored is None:
            scored = make()
            scored.save(path)
        return scored


def weights_state(path: str) -> list[list[Any]]:
    """Return name, size and time of each weight file of a local folder; empty for Hub names."""
    folder = Path(path)
    if not folder.is_dir():
        return []
    files = sorted(folder.glob("*.safetensors"))
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
