"""Two ways to do the same, timed in turns: what slows the machine for a while slows both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["seconds_in_turns"]


def seconds_in_turns(
    works: Mapping[str, Callable[[], Any]], repeats: int
) -> dict[str, list[float]]:
    """Return the seconds of each work, one of each repeat.

    Args:
        works: name -> what is timed; each is done once before, to warm up.
        repeats: how often each is timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds
