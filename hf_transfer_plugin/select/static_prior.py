"""The order that would be the same for any data: by downloads, or by the number of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from hf_transfer_plugin.records import Candidate

__all__ = ["static_order", "with_static_ranks"]

Prior = Literal["downloads", "parameters"]


def with_static_ranks(candidates: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], Prior]:
    """Return candidates with their place by the static prior, and what was counted.

    Downloads count when they are known of every candidate, else the number of weights.

    Args:
        candidates: those with a score.
    """
    downloads = [each.downloads for each in candidates]
    known = [number for number in downloads if number is not None]
    prior: Prior = "downloads" if len(known) == len(downloads) else "parameters"
    values = known if prior == "downloads" else [each.parameters for each in candidates]
    placed = (
        replace(each, static_rank=1 + sum(other > value for other in values))
        for each, value in zip(candidates, values, strict=True)
    )
    return tuple(placed), prior


def static_order(ranked: Sequence[Candidate]) -> bool:
    """Tell whether the order of these is the one of the static prior."""
    known = [each.static_rank for each in ranked if each.static_rank is not None]
    return len(known) == len(ranked) and len(set(known)) > 1 and known == sorted(known)
