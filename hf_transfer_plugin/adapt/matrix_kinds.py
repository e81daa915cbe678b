"""Weight matrices that are ranked among each other, and how many of them are taken."""

from __future__ import annotations

import math
import re

__all__ = ["count_taken", "kind_of"]


def kind_of(name: str) -> str:
    """Return what the names of matrices of one kind share: all but the numbers of layers."""
    return re.sub(r"\.\d+(?=\.)", ".*", name)


def count_taken(share: float, count: int) -> int:
    """Return how many of `count` matrices of a kind a share of them is, at least one."""
    return max(1, math.floor(share * count + 0.5))
