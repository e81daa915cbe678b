"""An explanation as text and as a table of Rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_transfer_plugin.explanation import Explanation, PhaseCost
from hf_transfer_plugin.layers import ROLES

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["compact_groups", "plain_text", "rich_table"]

_BASE = "base:"
_HEADINGS = (
    "phase",
    "layer groups",
    "steps",
    "trains",
    "share",
    "low rate",
    "peak rate",
    "optimizer",
    "cost",
)
_LEFT = 2  # columns that are text
_WIDEST = 34


def compact_groups(names: Sequence[str], groups: Sequence[str]) -> str:
    """Return layer groups in few words.

    Args:
        names: some of the groups, "base:NAME" among them, input to head.
        groups: all of them.

    Examples:
        >>> every = ("embeddings", "layer.0", "layer.1", "layer.2", "neck", "head")
        >>> compact_groups(every[2:], every)
        'layer.1 up'
        >>> compact_groups(("embeddings", "layer.0"), every)
        'embeddings, layer.0'
    """
    own = tuple(name for name in names if not name.startswith(_BASE))
    base = tuple(name.removeprefix(_BASE) for name in names if name.startswith(_BASE))
    parts = [_compact(own, groups)] if own else []
    if base:
        parts.append(f"weights under adapters of {_compact(base, groups)}")
    return "; ".join(parts)


def _compact(names: tuple[str, ...], groups: Sequence[str]) -> str:
    if names == tuple(groups):
        return "all"
    blocks = [name for name in names if name.rpartition(".")[2] not in ROLES]
    if names == tuple(groups[len(groups) - len(names) :]) and names[0] in blocks:
        return f"{names[0]} up"
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(r[0] if len(r) == 1 else f"{r[0]}-{_split(r[-1])[1]}" for r in runs)


def _split(name: str) -> tuple[str, str]:
    stem, _, number = name.rpartition(".")
    return (stem, number) if number.isdigit() else (name, "")


def _follows(before: str, name: str) -> bool:
    (stem, number), (other, following) = _split(before), _split(name)
    return stem == other and bool(number and following) and int(following) == int(number) + 1


def _steps(phase: PhaseCost, total: int) -> str:
    start = f"≤{phase.start}" if phase.starts_late else str(phase.start)
    end = f"≤{phase.end}" if phase.ends_early else str(phase.end)
    if phase.starts_late and phase.start == total:
        start = "?"
    return f"{start}-{end}"


def _cells(phase: PhaseCost, explanation: Explanation) -> tuple[str, ...]:
    return (
        phase.name,
        compact_groups(phase.groups, explanation.groups),
        _steps(phase, explanation.total_steps),
        f"{phase.trainable_parameters:,}",
        f"{phase.share:.2%}",
        f"{phase.low_rate:.2g}",
        f"{phase.peak_rate:.2g}",
        f"{phase.optimizer_mib:.1f} MiB",
        f"{phase.relative_cost:.0%}",
    )


def _rounded(count: int) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return str(count)


def _opening(explanation: Explanation) -> str:
    first, last = explanation.groups[0], explanation.groups[-1]
    return (
        f"{explanation.model}: {explanation.parameters:,} weights in {len(explanation.groups)} "
        f"layer groups ({first} ... {last}), {explanation.total_steps} optimizer steps"
    )


def _notes(explanation: Explanation) -> list[str]:
    return [f"{phase.name}: {phase.note}" for phase in explanation.phases if phase.note]


def _footnotes(explanation: Explanation) -> list[str]:
    unit, whole = explanation.cost_unit, explanation.relative_cost
    lines = [
        f"cost: estimated work of a step against full fine-tuning, counted in {unit}",
        "optimizer, MiB: AdamW's two states for what trains and for what trains again later",
    ]
    if whole is not None:
        lines.append(f"whole run: {whole:.0%} of the cost of full fine-tuning")
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def plain_text(explanation: Explanation) -> str:
    """Return the table, its notes and the findings as plain text."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for phase in explanation.phases:
        name, groups, *numbers = _cells(phase, explanation)
        rows.append((_cut(name), _cut(groups), *numbers))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_opening(explanation), ""]
    for row in rows:
        cells = [
            cell.ljust(width) if place < _LEFT else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    for block in (_notes(explanation), _footnotes(explanation)):
        lines += ["", *block] if block else []
    if explanation.findings:
        lines += ["", "findings:", *(f"- {finding}" for finding in explanation.findings)]
    return "\n".join(lines)


def rich_table(explanation: Explanation) -> RenderableType:
    """Return the table with its notes below it, then the findings."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("phase", "layer groups"):
        table.add_column(heading, overflow="fold", min_width=8)
    for heading in ("steps", "trains", "share", "rate", "MiB", "cost"):
        # Half a number is worse than a narrow text.
        table.add_column(heading, justify="right", no_wrap=True)
    for phase in explanation.phases:
        name, groups, steps, _, share, low, peak, memory, cost = _cells(phase, explanation)
        rate = peak if low == peak else f"{low} to {peak}"
        trains = _rounded(phase.trainable_parameters)
        cells = (name, groups, steps, trains, share, rate, memory.removesuffix(" MiB"), cost)
        table.add_row(*map(Text, cells))
    below = [*_notes(explanation), *_footnotes(explanation)]
    parts: list[RenderableType] = [Text(_opening(explanation)), Text(), table, Text()]
    parts += [Text(line, style="dim") for line in below]
    if explanation.findings:
        parts.append(Text("\nfindings", style="bold"))
        parts += [Padding(Text(f"- {finding}"), (0, 0, 0, 1)) for finding in explanation.findings]
    return Group(*parts)
