"""What the planner proposed, as the tables of a page: reasons with figures, options with costs."""

from __future__ import annotations

from dataclasses import dataclass

from hf_transfer_plugin.proposal_records import Option, Proposal, Reason
from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.proposal_words import (
    chosen_words,
    pilot_sentence,
    time_words,
    written_by_user,
)
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import counted, metric_name, number

__all__ = ["ShownProposal", "shown_proposal"]

_MIB = 2**20
_YOURS = "yours"


@dataclass(frozen=True)
class ShownProposal:
    """A proposal as a page shows it.

    Attributes:
        sentence: what was chosen, and by what.
        pilot: why the pilot chose, and its price; "" without one.
        reasons: one row for each choice.
        options: one row for each way that was considered.
        findings: what the rules cannot decide.
    """

    sentence: str
    pilot: str
    reasons: Cells
    options: Cells
    findings: tuple[str, ...]


def shown_proposal(report: Report) -> ShownProposal | None:
    """Return what the plan came from; None for a plan that no planner proposed."""
    proposal = report.proposal
    if proposal is None:
        return None
    said = chosen_words(proposal)
    return ShownProposal(
        sentence=f"{said[0].upper()}{said[1:]}.",
        pilot="" if proposal.pilot is None else pilot_sentence(proposal.pilot),
        reasons=_reason_cells(proposal),
        options=_option_cells(proposal),
        findings=tuple(one_line(each) for each in proposal.findings),
    )


def _reason_cells(proposal: Proposal) -> Cells:
    yours = ""
    if written_by_user(proposal):
        yours = " What stood in the config stayed as it was, and is marked “yours”."
    return Cells(
        f"Why “{one_line(proposal.chosen)}”.{yours} Figures are as the source has them, most of "
        "them points of accuracy against full fine-tuning with a 95% interval; a choice without "
        "one rests on a convention.",
        ("What", "Choice", "Why", "Measured", "Source"),
        [
            (
                each.axis,
                one_line(each.choice) + _mark(each, proposal),
                one_line(each.why),
                one_line(each.figure) or "–",
                one_line(each.source),
            )
            for each in proposal.option.reasons
        ],
        text_columns=(1, 2, 3, 4),
    )


def _mark(reason: Reason, proposal: Proposal) -> str:
    """Return what of a choice the user wrote."""
    written = written_by_user(proposal)
    mine = [what for what in written if what.removeprefix("the ") in reason.axis]
    if not mine:
        return ""
    whole = len(mine) == len(reason.axis.split(" and "))
    return f" ({_YOURS})" if whole else f" ({mine[0]} is {_YOURS})"


def _option_cells(proposal: Proposal) -> Cells:
    facts, pilot = proposal.facts, proposal.pilot
    rounds = sorted({run.share for run in pilot.runs}) if pilot is not None else []
    tried = [f"Pilot, {100 * share:.0f}%" for share in rounds]
    caption = (
        f"What was considered, in the order of the rules for {counted(facts.rows, 'row')} of "
        f"{len(facts.class_rows)} classes. Costs are "
        f"estimates for {counted(facts.seeds, 'seed')} of the transfer: forward passes over the "
        "training rows that take as long, and memory without activations."
    )
    if pilot is not None:
        caption += (
            f" Pilot: {metric_name(pilot.metric)} on validation after that share of the length, "
            "one seed."
        )
    costs = ("Rate", "Epochs", "Rows seen", "Passes", "Time", "Memory, MiB")
    rows = [
        (
            *_row(each, chosen=each.name == proposal.chosen),
            *(_score(proposal, each, share) for share in rounds),
            one_line(each.left_out) or "–",
        )
        for each in proposal.options
    ]
    head = ("Option", *costs, *tried, "Left out")
    return Cells(caption, head, rows, text_columns=(len(head) - 1,))


def _row(option: Option, *, chosen: bool) -> tuple[str, ...]:
    cost = option.cost
    return (
        one_line(option.name) + (" (chosen)" if chosen else ""),
        _YOURS if option.learning_rate is None else f"{option.learning_rate:g}",
        _YOURS if option.epochs is None else f"{option.epochs:g}",
        f"{cost.examples:,}",
        number(cost.passes, 1),
        time_words(cost.seconds),
        f"{cost.memory / _MIB:,.0f}",
    )


def _score(proposal: Proposal, option: Option, share: float) -> str:
    runs = proposal.pilot.runs if proposal.pilot is not None else ()
    found = [each for each in runs if each.option == option.name and each.share == share]
    return number(found[0].validation) if found else "–"
