"""Results as tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from measured.table import Table

from schedule_comparison.results import Results
from schedule_comparison.runs import DATASETS, METHODS, TOOLS, Run

__all__ = ["tables"]

_SHOWN = {
    "trainer": "Trainer, full",
    "plugin": "FreezingCallback",
    "plugin-moving": "FreezingCallback, frozen layers in train mode",
    "finetuning-scheduler": "finetuning-scheduler",
    "fastai": "fastai",
}


def tables(results: Results) -> list[Table]:
    """Return a table of each part that has results.

    Raises:
        ValueError: when tools that are compared did not get the same batches.
    """
    parts = (_agreement, _comparison, _ablation, _overhead, _rates)
    found = [part(results) for part in parts]
    return [table for table in found if table.rows]


def _agreement(results: Results) -> Table:
    runs = [run for run in results if not run.dropout]
    plugin = {results[run]["weights"] for run in runs if run.tool == "plugin"}
    rows = [
        (_SHOWN[run.tool], "the same bits" if {results[run]["weights"]} == plugin else "others")
        for run in runs
    ]
    return Table(
        "Weights after gradual unfreezing without dropout, against this package",
        ("tool", "weights"),
        tuple(rows),
    )


def _comparison(results: Results) -> Table:
    order = {(dataset, tool): None for dataset in DATASETS for tool in TOOLS}
    rows = []
    for group in _groups(results, "test"):
        run, values = group[0], [results[each] for each in group]
        if (run.dataset, run.tool) not in order or TOOLS[run.tool] != run.method:
            continue
        _require_same_batches(results, group)
        cells = (
            f"{run.dataset}, {run.examples} x {run.epochs}",
            _SHOWN[run.tool],
            _spread([100 * value["accuracy"] for value in values]),
            f"{_median(values, 'seconds'):.1f}",
            f"{_median(values, 'peak_mib'):,.0f}",
            f"{values[0]['trainable_parameters'] / 1e6:.2f}",
            f"{values[0]['steps']}",
            str(len(values)),
        )
        rows.append((list(order).index((run.dataset, run.tool)), cells))
    return Table(
        "Gradual unfreezing in three tools, and full fine-tuning, on the same batches "
        "(examples x epochs)",
        (
            "data",
            "tool",
            "accuracy, %",
            "time, s",
            "peak, MiB",
            "weights, M",
            "steps",
            "seeds",
        ),
        tuple(cells for _, cells in sorted(rows)),
    )


def _ablation(results: Results) -> Table:
    rows = []
    groups = {(g[0].tool, g[0].method): g for g in _groups(results, "test", dataset="trec6")}
    for method, (tool, paper) in METHODS.items():
        group = groups.get((tool, method), [])
        if group:
            errors = [100 * (1 - results[run]["accuracy"]) for run in group]
            cells = (_spread(errors), f"{paper:.2f}" if paper else "-")
            rows.append((method, *cells, f"{group[0].learning_rate:g}", str(len(group))))
    if {row[0] for row in rows} <= set(TOOLS.values()):
        rows = []  # the comparison alone
    return Table(
        "ULMFiT's ablation on TREC-6",
        ("method", "test error, %", "in the paper, %", "learning rate", "seeds"),
        tuple(rows),
    )


def _overhead(results: Results) -> Table:
    rows = []
    for run in results:
        if run.tool != "overhead":
            continue
        value = results[run]
        for variant in value["wall"]:
            by = [_percent(value[clock][variant]) for clock in ("wall", "processor")]
            step = f"{1000 * value['step_seconds']:.1f}"
            rows.append((variant, *by, step, f"{run.repeats} x {value['steps']}"))
    return Table(
        "Time of a step against the bare Trainer, everything trainable: "
        "median over repeats (smallest to largest)",
        ("with", "wall time, %", "processor time, %", "bare step, ms", "repeats x steps"),
        tuple(rows),
    )


def _rates(results: Results) -> Table:
    groups = [group[0] for group in _groups(results, "validation")]
    rows = []
    for run in groups:
        rivals = [each for each in groups if replace(each, learning_rate=run.learning_rate) == run]
        best = max(results[each]["accuracy"] for each in rivals)
        accuracy = f"{100 * results[run]['accuracy']:.1f}"
        chosen = "best" if results[run]["accuracy"] == best else ""
        rows.append((run.dataset, run.method, f"{run.learning_rate:g}", accuracy, chosen))
    return Table(
        "Learning rates on validation rows, one seed that is not measured",
        ("data", "method", "learning rate", "validation accuracy, %", ""),
        tuple(rows),
    )


def _groups(results: Results, split: str, dataset: str | None = None) -> list[list[Run]]:
    """Return runs that differ in their seed alone."""
    groups: dict[Run, list[Run]] = {}
    for run in results:
        kind = run.split == split and run.tool != "overhead" and run.dropout
        if kind and dataset in (None, run.dataset):
            groups.setdefault(replace(run, seed=0), []).append(run)
    return list(groups.values())


def _require_same_batches(results: Results, group: Sequence[Run]) -> None:
    for run in group:
        for other in results:
            same = replace(other, tool=run.tool, method=run.method) == run
            if same and results[other]["batches"] != results[run]["batches"]:
                raise ValueError(f"{run.label} and {other.label} did not train on the same batches")


def _spread(values: Sequence[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.2f} +- {deviation:.2f}"


def _median(values: Sequence[dict[str, Any]], name: str) -> float:
    return float(statistics.median(value[name] for value in values))


def _percent(ratios: Sequence[float]) -> str:
    median, low, high = (
        100 * (ratio - 1) for ratio in (statistics.median(ratios), min(ratios), max(ratios))
    )
    return f"{median:+.2f} ({low:+.2f} to {high:+.2f})"
