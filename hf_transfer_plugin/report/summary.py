"""The outcome of a run as one table for the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.evidence import spread, verdict_against
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import (
    interval_name,
    margin_words,
    metric_name,
    percent,
    points,
)

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["OUTCOME_STYLES", "summary_table"]

OUTCOME_STYLES = {
    "helped": "green",
    "harmed": "red",
    "equivalent": "cyan",
    "inconclusive": "yellow",
}


def summary_table(report: Report) -> Table:
    """Return one row for each plan: test metric, transfer minus control, outcome and time.

    Args:
        report: what the run gave.
    """
    from rich.table import Table
    from rich.text import Text

    verdict = report.verdict
    table = Table(title=Text(one_line(report.title)), caption=Text(_caption(report)))
    table.add_column("plan")
    table.add_column(f"test {metric_name(verdict.metric)}\nmean ± sd", justify="right")
    header = Text(f"transfer − control\npoints [{interval_name(verdict)}]")
    table.add_column(header, justify="right")
    table.add_column("outcome")
    table.add_column("seconds", justify="right")
    for result in report.results:
        over = spread(result.scores(), verdict.confidence)
        sd = f" ± {100 * over.sd:.1f}" if math.isfinite(over.sd) else ""
        against = (
            verdict_against(report, result.plan.name) if result is not report.transfer else None
        )
        difference, outcome = Text(""), Text("")
        if against is not None:
            bounds = f"[{points(against.lower)}, {points(against.upper)}]"
            difference = Text(f"{points(against.difference)} {bounds}")
            outcome = Text(against.outcome, style=OUTCOME_STYLES[against.outcome])
        primary = result.plan.name == verdict.baseline
        name = Text(one_line(result.plan.name), style="bold" if primary else "")
        seconds = sum(seed.wall_seconds for seed in result.seeds)
        table.add_row(name, f"{percent(over.mean)}{sd}", difference, outcome, f"{seconds:.1f}")
    return table


def _caption(report: Report) -> str:
    verdict = report.verdict
    go = "go" if verdict.go else "no go"
    return (
        f"{go}: {verdict.outcome} against {one_line(verdict.baseline)}; "
        f"{verdict.seeds} paired seeds, margin {margin_words(verdict)}"
    )
