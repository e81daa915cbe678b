"""What adapters and schedules gave, what they cost, and whether the goal was met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from measured.table import Table
from tuning.lines import Lines

from how_comparison.judged import Judged, judged, spoken
from how_comparison.places import Place
from how_comparison.ways import PLAIN, adapter_ways

__all__ = ["tables"]

_BYTES_OF_WEIGHT = 4
_MOST_TRAINABLE = 0.02
_NEAR = -0.005


def tables(lines: Lines) -> list[Table]:
    """Return a table for each data set, one of goals, and one of costs."""
    found = judged(lines, adapter_ways)
    made = [_accuracies(place, arms) for place, arms in found.items()]
    if found:
        made.append(_goals(found))
    return made + _costs(lines)


def _accuracies(place: Place, arms: Sequence[Judged]) -> Table:
    rows = tuple(
        (
            each.arm.way.name,
            f"{each.chosen.rate:g}",
            str(len(each.results)),
            f"{100 * each.validation:.1f}",
            each.accuracy,
            spoken(each.verdict),
            f"{100 * each.trainable:.2f} %",
            f"{_kept(each) / 1e6:.2f}",
            _memory(each),
        )
        for each in arms
    )
    headers = ("way", "rate", "seeds", "validation", "test", "against full", "trains")
    title = f"{place.label} of the rows, {place.steps} steps"
    return Table(title, (*headers, "kept, MB", "GPU, MiB"), rows)


def _kept(each: Judged) -> float:
    """Return the bytes of what is kept: the adapter alone where there is one."""
    first = each.results[0]
    return float(first["adapter_bytes"] or _BYTES_OF_WEIGHT * first["parameters"])


def _memory(each: Judged) -> str:
    found = [result["gpu_mib"] for result in each.results if "gpu_mib" in result]
    return f"{median(found):.0f}" if found else "-"


def _goals(found: dict[Place, list[Judged]]) -> Table:
    rows = []
    for place, arms in found.items():
        adapters = [
            each for each in arms if each.arm.way.adapter and each.trainable <= _MOST_TRAINABLE
        ]
        schedules = [
            each for each in arms if not each.arm.way.adapter and each.arm.way.name != PLAIN
        ]
        for kind, some in (("adapter of at most 2 %", adapters), ("schedule", schedules)):
            if some:
                best = max(some, key=lambda each: each.validation)
                verdict = best.verdict
                near = verdict is not None and verdict.difference >= _NEAR
                answer = "yes" if near else "no"
                name = f"{best.arm.way.name} ({100 * best.trainable:.2f} %)"
                rows.append((place.label, kind, name, spoken(verdict), answer))
    headers = ("data", "kind", "best on validation", "against full, on test", "within 0.5 points")
    return Table(
        "Chosen on validation, held against full fine-tuning on test", headers, tuple(rows)
    )


def _costs(lines: Lines) -> list[Table]:
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for key in lines:
        if key[0] == "cost":
            _, dataset, device, way = key
            found.setdefault((dataset, device), {})[way] = lines[key]
    return [_cost_table(*where, costs) for where, costs in found.items()]


def _cost_table(dataset: str, device: str, costs: Mapping[str, dict[str, Any]]) -> Table:
    full = median(costs[PLAIN]["milliseconds"]) if PLAIN in costs else float("nan")
    rows = tuple(
        (
            name,
            f"{median(cost['milliseconds']):.1f}",
            f"{median(cost['milliseconds']) / full:.2f}",
            f"{cost['mib']:.0f}",
        )
        for name, cost in costs.items()
    )
    headers = ("way", "ms a step", "over full", "memory, MiB")
    return Table(f"Costs on {dataset}, {device}", headers, rows)
