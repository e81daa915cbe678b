"""What a multitask run says of each task, as a table for the terminal and in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.multitask_records import MultitaskReport
from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.summary import OUTCOME_STYLES
from hf_transfer_plugin.report.words import (
    has_interval,
    interval_name,
    metric_name,
    percent,
    points,
)

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["task_sentences", "task_table"]


def task_table(report: MultitaskReport) -> Table:
    """Return one row for each way and task: both means, their difference, the outcome."""
    from rich.table import Table
    from rich.text import Text

    first = _first(report)
    table = Table(
        title=Text(one_line(report.title)),
        caption=Text(f"test {metric_name(first.metric)}, {first.seeds} paired seeds"),
    )
    for heading in ("way", "task"):
        table.add_column(heading)
    for heading in ("alone", "together", f"difference, points\n[{interval_name(first)}]"):
        table.add_column(Text(heading), justify="right")
    table.add_column("outcome")
    for way, verdicts in report.verdicts.items():
        for place, (name, each) in enumerate(verdicts.items()):
            table.add_row(
                way if not place else "",
                Text(one_line(name)),
                percent(each.control_mean),
                percent(each.transfer_mean),
                _difference(each),
                Text(each.outcome, style=OUTCOME_STYLES[each.outcome]),
                end_section=place == len(verdicts) - 1,
            )
    return table


def task_sentences(report: MultitaskReport) -> list[str]:
    """Return a sentence for each way: whom it helped, and whom it harmed; then the conflicts."""
    found = []
    for way, verdicts in report.verdicts.items():
        mean = sum(each.difference for each in verdicts.values()) / len(verdicts)
        helped = [name for name, each in verdicts.items() if each.outcome == "helped"]
        words = f"helped {', '.join(helped)}" if helped else "helped no task for certain"
        harmed = ", ".join(report.harmed[way])
        harm = f"negative transfer to {harmed}" if harmed else "no task harmed for certain"
        found.append(f"{way}: mean of tasks {points(mean)} points; {words}; {harm}")
        pairs = report.conflicts.get(way, {})
        if pairs:
            shares = ", ".join(f"{pair} {percent(share, 0)}" for pair, share in pairs.items())
            found.append(f"{way}: gradients in conflict, share of batches: {shares}")
    return found


def _first(report: MultitaskReport) -> Verdict:
    return next(iter(next(iter(report.verdicts.values())).values()))


def _difference(verdict: Verdict) -> str:
    if not has_interval(verdict):
        return points(verdict.difference)
    return f"{points(verdict.difference)} [{points(verdict.lower)}, {points(verdict.upper)}]"
