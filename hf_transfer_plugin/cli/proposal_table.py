"""What `hf-tl plan --propose` prints: options with costs, reasons, and what a pilot found."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hf_transfer_plugin.processes import is_first
from hf_transfer_plugin.proposal_records import Option, Pilot, Proposal
from hf_transfer_plugin.report.proposal_words import pilot_sentence, time_words

__all__ = ["show_proposal"]

_MIB = 2**20


def show_proposal(proposal: Proposal) -> None:
    """Print what is proposed, what else there was, and why."""
    if not is_first():
        return
    console = Console(highlight=False)
    console.print(_options(proposal))
    console.print(_reasons(proposal.option))
    if proposal.pilot is not None:
        console.print(_pilot(proposal.pilot))
        console.print(Text(f"Pilot: {proposal.pilot.chosen}. {pilot_sentence(proposal.pilot)}"))
    for each in proposal.options:
        if each.left_out:
            console.print(Text(f"- left out: {each.name}, {each.left_out}"))
    for finding in proposal.findings:
        console.print(Text(f"- {finding}"))


def _options(proposal: Proposal) -> Table:
    facts = proposal.facts
    table = Table(
        title=Text(
            f"How to transfer, proposed: {facts.rows:,} rows, {len(facts.class_rows)} classes, "
            f"{facts.parameters / 1e6:.1f} million weights"
        ),
        caption=Text(
            "in the order of the rules; costs are estimates for all seeds of the transfer, memory "
            "without activations"
        ),
        box=SIMPLE_HEAD,
    )
    for heading in ("", "option", "adapter", "objective"):
        table.add_column(heading, overflow="fold")
    for heading in ("rate", "epochs", "rows seen", "passes", "time", "MiB"):
        table.add_column(heading, justify="right")
    for each in proposal.options:
        mark = "->" if each.name == proposal.chosen else ("x" if each.left_out else "")
        table.add_row(
            mark,
            Text(each.name),
            each.adapter.name if each.adapter else "-",
            each.objective.name if each.objective else "-",
            "yours" if each.learning_rate is None else f"{each.learning_rate:g}",
            "yours" if each.epochs is None else f"{each.epochs:g}",
            f"{each.cost.examples:,}",
            f"{each.cost.passes:.1f}",
            time_words(each.cost.seconds),
            f"{each.cost.memory / _MIB:,.0f}",
        )
    return table


def _reasons(option: Option) -> Table:
    table = Table(title=Text(f"Why {option.name}"), box=SIMPLE_HEAD)
    for heading in ("what", "proposed", "why", "measured"):
        table.add_column(heading, overflow="fold")
    for each in option.reasons:
        measured = f"{each.figure} ({each.source})" if each.figure else each.source
        table.add_row(each.axis, Text(each.choice), Text(each.why), Text(measured))
    return table


def _pilot(pilot: Pilot) -> Table:
    table = Table(title=Text(f"Pilot: seed {pilot.seed}, validation alone"), box=SIMPLE_HEAD)
    table.add_column("option")
    for heading in ("of its length", pilot.metric, "rows seen", "seconds"):
        table.add_column(heading, justify="right")
    for each in pilot.runs:
        table.add_row(
            Text(each.option),
            f"{100 * each.share:.0f} %",
            f"{each.validation:.3f}",
            f"{each.examples:,}",
            f"{each.seconds:.1f}",
        )
    return table
