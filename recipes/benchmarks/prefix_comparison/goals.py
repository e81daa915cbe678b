"""What the cache is held to, and whether a results file says that it was reached."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from measured.table import Table
from schedule_comparison.results import Results

from prefix_comparison.plan import DATASETS, MEMORY_ROWS
from prefix_comparison.reading import by_seed, median_ratio

__all__ = ["goals"]

#: (what, its arm, the arm it is compared with, at least or at most, the goal per task).
_RATIOS = (
    ("cached / forward", "cached", "forward", "at most", (1.15, 1.15)),
    ("frozen / cached", "frozen", "cached", "at least", (10.0, 10.0)),
    ("staged / staged, cached", "staged", "staged, cached", "at least", (3.0, 4.0)),
)
_OVER_LIMIT = 1.2
_DIFFERENCE = 1e-5
_FLAT = 1.05

_Row = tuple[str, ...]


def goals(results: Results) -> Table:
    """Return each goal that the results can speak about, with "met" or "missed"."""
    rows = [row for dataset in DATASETS for row in _of_dataset(results, dataset)]
    return Table(
        "Goals",
        ("data", "what", "goal", "measured", ""),
        (*rows, *_memory(results)),
    )


def _of_dataset(results: Results, dataset: str) -> Iterator[_Row]:
    images = DATASETS[dataset].task == "image-classification"
    for what, arm, other, side, goal in _RATIOS:
        ratio = median_ratio(results, dataset, arm, other)
        if ratio is not None:
            yield _row(dataset, what, side, goal[images], ratio)
    over = _over_limit(results, dataset)
    if over is not None:
        yield _row(
            dataset, "staged, cached / (forward + layers above)", "at most", _OVER_LIMIT, over
        )
    for arm in ("cached", "cached again", "staged, cached"):
        found = [each.get("weight_difference") for each in by_seed(results, dataset, arm).values()]
        known = [each for each in found if each is not None]
        if known:
            what = f"largest difference of a weight, {arm}"
            yield _row(dataset, what, "at most", _DIFFERENCE, max(known))


def _over_limit(results: Results, dataset: str) -> float | None:
    arms = ("staged, cached", "forward", "staged, limit")
    cached, forward, above = (by_seed(results, dataset, arm) for arm in arms)
    ratios = [
        cached[seed]["seconds"] / (forward[seed]["seconds"] + above[seed]["seconds"])
        for seed in cached
        if seed in forward and seed in above
    ]
    return statistics.median(ratios) if ratios else None


def _memory(results: Results) -> Iterator[_Row]:
    few, many = (
        [results[run]["peak_mib"] for run in results if (run.tool, run.examples) == key]
        for key in (("memory", rows) for rows in MEMORY_ROWS)
    )
    if few and many:
        what = f"peak memory, {MEMORY_ROWS[1]:,} rows / {MEMORY_ROWS[0]:,} rows"
        ratio = statistics.median(many) / statistics.median(few)
        yield _row("synthetic", what, "at most", _FLAT, ratio)


def _row(dataset: str, what: str, side: str, goal: float, value: float) -> _Row:
    met = value <= goal if side == "at most" else value >= goal
    return dataset, what, f"{side} {goal:g}", f"{value:.3g}", "met" if met else "missed"
