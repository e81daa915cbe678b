"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level"]

#: "ok"; "note", something to know; "warning", some uses fail or are slow; "error", nothing trains.
Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """What was found of one subject.

    Attributes:
        subject: what was looked at, such as "torch" or "disk: this folder".
        found: what it is, in a few words.
        level: how much it matters.
        action: what to do; "" where nothing is to be done.
    """

    subject: str
    found: str
    level: Level = "ok"
    action: str = ""
