"""Tables of the seconds of each score and of the published facts."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from measured.table import Table

__all__ = ["tables"]

GOAL = 2.0
FIELDS = ("seconds", "svd_seconds", "peak_mib")


def tables(stored: dict[str, Any]) -> tuple[Table, ...]:
    """Return the tables of a results file.

    Args:
        stored: its content: "environment", "facts", and "results" with "score" and "repeat".
    """
    size = stored["environment"]
    title = (
        f"Seconds for {size['examples']:,} x {size['dimensions']:,}, {size['classes']} classes, "
        f"threads: {size['threads']}"
    )
    names = sorted({each["score"] for each in stored["results"]})
    rows = [
        _row(name, [each for each in stored["results"] if each["score"] == name]) for name in names
    ]
    headers = ("score", "runs", "s", "SVD s", "s / SVD s", "processor", f"goal {GOAL:g}", "MiB")
    times = Table(title, headers, tuple(rows))
    facts = Table(
        "Published facts",
        ("what", "published", "met within", "measured", ""),
        tuple(
            (
                what,
                expected,
                f"{low:g} to {high:g}",
                f"{value:.2f}",
                "met" if low <= value <= high else "missed",
            )
            for what, expected, low, high, value in stored["facts"]
        ),
    )
    return times, facts


def _row(name: str, found: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    middle = {field: statistics.median(each[field] for each in found) for field in FIELDS}
    wall = statistics.median(each["seconds"] / each["svd_seconds"] for each in found)
    processor = statistics.median(
        each["processor_seconds"] / each["svd_processor_seconds"] for each in found
    )
    return (
        name,
        str(len(found)),
        *(f"{middle[field]:.1f}" for field in FIELDS[:2]),
        f"{wall:.2f}",
        f"{processor:.2f}",
        "met" if processor <= GOAL else "missed",
        f"{middle['peak_mib']:.0f}",
    )
