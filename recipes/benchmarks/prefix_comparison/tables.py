"""Results as tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from measured.table import Table
from schedule_comparison.results import Results

from prefix_comparison.goals import goals
from prefix_comparison.plan import ARMS, DATASETS, MEMORY_ROWS, MEMORY_TOOLS
from prefix_comparison.reading import by_seed, median_ratio, require_same_batches, scaled

__all__ = ["tables"]

_SHOWN = {
    "forward": "one bare forward pass",
    "frozen": "frozen backbone",
    "cached": "frozen backbone, prefix_cache, empty at first",
    "cached again": "frozen backbone, prefix_cache, filled before",
    "by hand": "frozen backbone, requires_grad=False in a plain Trainer",
    "full": "full fine-tuning",
    "staged": "staged",
    "staged, cached": "staged, prefix_cache",
    "staged, limit": "staged, only the layers above in a bare loop",
    "embeddings": "features + LogisticRegression",
    "setfit": "SetFit",
    "fastai": "fastai, freeze_to(-1)",
    "finetuning-scheduler": "Lightning + finetuning-scheduler, one phase",
}
_HALVED = ("cached, float16", "cached, bfloat16")


def tables(results: Results) -> list[Table]:
    """Return a table for each data set, of memory, of stored kinds and of goals.

    Raises:
        ValueError: when arms that are compared did not train on the same batches.
    """
    require_same_batches(results)
    found = [*(_dataset(results, name) for name in DATASETS), _storage(results), _memory(results)]
    return [table for table in (*found, goals(results)) if table.rows]


def _dataset(results: Results, dataset: str) -> Table:
    rows = []
    for arm in ARMS:
        values = list(by_seed(results, dataset, arm).values())
        if arm not in _SHOWN or not values:
            continue
        (epochs, examples), *_ = {
            (run.epochs, run.examples)
            for run in results
            if (run.dataset, run.tool) == (dataset, arm)
        }
        rows.append(
            (
                _SHOWN[arm],
                _epochs(arm, epochs),
                f"{statistics.median(scaled(results, dataset, arm).values()):.2f}",
                _number(median_ratio(results, dataset, arm, "forward"), ".2f"),
                _number(median_ratio(results, dataset, arm, "cached"), ".2f"),
                f"{statistics.median(value['peak_mib'] for value in values):,.0f}",
                _percent(values),
                _number(_largest(values), ".1e"),
                str(len(values)),
            )
        )
    title = dataset if not rows else f"{dataset}, {examples or 'all'} training rows"
    return Table(
        title,
        (
            "arm",
            "epochs",
            "time, s",
            "/ forward",
            "/ cached",
            "peak, MiB",
            "accuracy, %",
            "largest difference of a weight",
            "repeats",
        ),
        tuple(rows),
    )


def _epochs(arm: str, epochs: int) -> str:
    if arm == "forward":
        return "1 pass"
    if arm in ("embeddings", "setfit"):
        return "-"
    return f"scaled up, {epochs} epochs measured" if arm == "full" else str(epochs)


def _storage(results: Results) -> Table:
    rows = []
    for dataset in DATASETS:
        halved = [arm for arm in _HALVED if by_seed(results, dataset, arm)]
        for arm in ("cached", *halved) if halved else ():
            values = list(by_seed(results, dataset, arm).values())
            if values:
                size = f"{statistics.median(each['cache_bytes'] for each in values) / 2**20:.2f}"
                full = arm == "cached"
                difference = None if full else _largest(values)
                kind = "full" if full else arm.partition(", ")[2]
                rows.append((dataset, kind, size, _percent(values), _number(difference, ".1e")))
    return Table(
        "Kinds of storage (the difference is that from full storage)",
        ("data", "storage", "MiB on disk", "accuracy, %", "largest difference of a weight"),
        tuple(rows),
    )


def _memory(results: Results) -> Table:
    names = ("peak_before_mib", "peak_mib", "private_peak_mib", "final_mib", "cache_bytes")

    def rows() -> Iterator[tuple[str, ...]]:
        for tool in MEMORY_TOOLS:
            for count in MEMORY_ROWS:
                key = (tool, count)
                values = [results[run] for run in results if (run.tool, run.examples) == key]
                if values:
                    cells = {name: _median(values, name) for name in names}
                    cells["cache_bytes"] = (cells["cache_bytes"] or 0) / 2**20
                    arm = "prefix_cache" if tool == "memory" else "frozen backbone"
                    yield (arm, f"{count:,}", *(_number(each, ",.0f") for each in cells.values()))

    return Table(
        "Resident memory, MiB",
        ("arm", "rows", "before", "peak", "peak, private", "at the end", "cache on disk"),
        tuple(rows()),
    )


def _percent(values: list[dict[str, Any]]) -> str:
    accuracy = _median(values, "accuracy")
    return "-" if accuracy is None else f"{100 * accuracy:.1f}"


def _largest(values: list[dict[str, Any]]) -> float | None:
    found = [value.get("weight_difference") for value in values]
    return max((each for each in found if each is not None), default=None)


def _median(values: list[dict[str, Any]], name: str) -> float | None:
    found = [value[name] for value in values if value.get(name) is not None]
    return float(statistics.median(found)) if found else None


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
