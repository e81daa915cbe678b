"""What the commands print: tables, and where things lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hf_transfer_plugin.cli.ranking_table import ranking_notes, ranking_table
from hf_transfer_plugin.multitask_records import MultitaskReport
from hf_transfer_plugin.processes import is_first
from hf_transfer_plugin.records import Ranking, Report, Rescue, Rung, RunResult, Verdict

if TYPE_CHECKING:
    from hf_transfer_plugin.explaining import Explanation

__all__ = [
    "say",
    "show_demo",
    "show_explanation",
    "show_handing_over",
    "show_look",
    "show_multitask",
    "show_ranking",
    "show_rescue",
    "show_result",
    "show_rung",
    "show_verdict",
]


def say(text: str) -> None:
    """Print plain text, once however many processes run."""
    if is_first():
        _console().print(Text(text), soft_wrap=True)


def _console() -> Console:
    return Console(highlight=False)


def _show(table: Table) -> None:
    if is_first():
        _console().print(table)


def show_ranking(ranking: Ranking) -> None:
    """Print candidates, best first, beside the baselines, and below them what follows."""
    _show(ranking_table(ranking, _console().width))
    for note in ranking_notes(ranking):
        say(f"  {note}")
    for finding in ranking.findings:
        say(f"- {finding}")


def show_explanation(explanation: Explanation) -> None:
    """Print what the plan will do."""
    if is_first():
        _console().print("\nHow to transfer", explanation, sep="\n")


def show_verdict(verdict: Verdict) -> None:
    """Print the verdict in one sentence for each control, and what would settle an open one."""
    from hf_transfer_plugin.report.settling_words import settle_words, stop_words

    for each in (verdict, *verdict.others):
        say(_sentence(each))
        if each.stop is not None:
            say(f"  {stop_words(each)}")
    if verdict.outcome == "inconclusive":
        say(settle_words(verdict))


def show_look(verdict: Verdict) -> None:
    """Print where a comparison stands that adds seeds until it is settled."""
    from hf_transfer_plugin.report.settling_words import settle_words

    here = f"look at {verdict.seeds} seeds: {verdict.outcome}, {_difference(verdict)}"
    say(f"{here}. {settle_words(verdict)}".rstrip(". "))


def _sentence(verdict: Verdict) -> str:
    return (
        f"{verdict.outcome} against {verdict.baseline}: {verdict.metric} "
        f"{_difference(verdict)}, {verdict.seeds} paired seeds, "
        f"{'go' if verdict.go else 'no go'} at margin {verdict.margin:g}"
    )


def _difference(verdict: Verdict) -> str:
    from hf_transfer_plugin.report.words import has_interval, interval_name

    if not has_interval(verdict):
        return f"{verdict.difference:+.4f}, no interval yet: too few seeds"
    bounds = f"[{verdict.lower:+.4f}, {verdict.upper:+.4f}]"
    return f"{verdict.difference:+.4f}, {interval_name(verdict)} {bounds}"


def show_handing_over(transfer: RunResult) -> None:
    """Print which seeds an alarm has handed over to the ladder of rescues."""
    seeds = ", ".join(map(str, transfer.handed_over()))
    say(f"\nhanded over to the ladder of rescues: {transfer.plan.name}, seeds {seeds}")


def show_rung(rung: Rung) -> None:
    """Print where a ladder of rescues stands."""
    interval = ""
    if rung.validation:
        bounds = f"[{rung.lower:+.4f}, {rung.upper:+.4f}]"
        interval = f"validation {rung.mean:.4f}, minus control {rung.difference:+.4f} {bounds}, "
    say(f"rung {rung.name}: {interval}{rung.why}")


def show_rescue(rescue: Rescue, folder: Path) -> None:
    """Print what began a ladder, what was returned, and its one look at the test split."""
    say(_sentence(rescue.harm))
    if rescue.accepted is None:
        say("nothing to rescue: the transfer is a go")
        return
    chosen = f" ({rescue.accepted.chosen})" if rescue.accepted.chosen else ""
    say(f"returned: {rescue.accepted.name}{chosen}")
    if rescue.verdict is not None:
        say(f"on test: {_sentence(rescue.verdict)}")
    if rescue.kept_seed is not None:
        say(f"\nmodel   {folder / 'rescued'}")


def show_result(report: Report, folder: Path) -> None:
    """Print the summary table, the verdict and where everything lies."""
    from hf_transfer_plugin.report import summary_table

    _show(summary_table(report))
    show_verdict(report.verdict)
    say(f"\nreport  {folder / 'report.html'}")
    say(f"card    {folder / 'README.md'}")
    say(f"model   {folder / 'model'}")


def show_multitask(report: MultitaskReport, folder: Path) -> None:
    """Print each task's verdict on each way, and where everything lies."""
    from hf_transfer_plugin.report.task_words import task_sentences, task_table

    _show(task_table(report))
    for sentence in task_sentences(report):
        say(sentence)
    say(f"\nrecord   {folder / report.file_name}")
    say(f"picture  {folder / 'plots' / 'tasks.png'}")
    say(f"models   {folder / 'models'}")


def show_demo(finished: Sequence[tuple[Report, Path]]) -> None:
    """Print one table for all runs, then where everything lies."""
    first = finished[0][0].verdict
    level, seeds = first.confidence, first.seeds
    table = Table(
        title=f"Transfer against its control ({seeds} paired seeds, {level:.0%} intervals)"
    )
    for heading in ("run", "transfer", "control", "difference", "verdict"):
        table.add_column(heading)
    for report, folder in finished:
        verdict = report.verdict
        table.add_row(
            Text(folder.name),
            f"{verdict.transfer_mean:.3f}",
            f"{verdict.control_mean:.3f} {verdict.baseline}",
            f"{verdict.difference:+.3f} [{verdict.lower:+.3f}, {verdict.upper:+.3f}]",
            f"{verdict.outcome}, {'go' if verdict.go else 'no go'}",
        )
    for report, folder in finished:
        say(f"\n{report.title}")
        show_result(report, folder)
    say("")
    _show(table)
