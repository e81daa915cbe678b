"""What the planner proposed, in plain words: for the page, the card and the terminal."""

from __future__ import annotations

from hf_transfer_plugin.proposal_records import Pilot, Proposal, Reason
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.words import counted, listed

__all__ = ["card_sentences", "chosen_words", "pilot_sentence", "time_words", "written_by_user"]

_YOURS = "your config"


def time_words(seconds: float | None) -> str:
    """Return a time such as "43 s" or "2.5 min"; a dash for none."""
    if seconds is None:
        return "–"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def chosen_words(proposal: Proposal) -> str:
    """Return what was proposed, and whether rules or a pilot chose it, as a half sentence."""
    name, budget = f"“{one_line(proposal.chosen)}”", proposal.facts.budget_minutes
    if proposal.pilot is not None:
        tried = counted(len({each.option for each in proposal.pilot.runs}), "option")
        return (
            f"proposed by the planner after a pilot: of {tried}, short trainings chose {name} on "
            "validation rows"
        )
    if budget is None:
        return f"proposed by the planner, by rule: {name} comes first for data like these"
    limit = f"the budget of {_minutes(budget)}"
    if proposal.option.left_out:
        return f"proposed by the planner, by rule: nothing fits {limit}, {name} is the cheapest"
    return f"proposed by the planner, by rule: {name} comes first of what fits {limit}"


def _minutes(minutes: float) -> str:
    """Return minutes such as "1 minute" or "2.5 minutes"."""
    return "1 minute" if minutes == 1 else f"{minutes:g} minutes"


def pilot_sentence(pilot: Pilot) -> str:
    """Return what a pilot found, and what it took."""
    why = one_line(pilot.why)
    return (
        f"{why[:1].upper()}{why[1:]}. The pilot took "
        f"{time_words(pilot.seconds)} and {pilot.examples:,} rows: "
        f"{counted(len(pilot.runs), 'training')} with seed {pilot.seed}."
    )


def written_by_user(proposal: Proposal) -> list[str]:
    """Return what the config decided, such as "the adapter" and "the learning rate"."""
    kept = proposal.facts.kept
    decided = {
        "the schedule": kept.schedule is not None,
        "the adapter": kept.adapter is not None,
        "the objective": kept.objective is not None,
        "the average": kept.average is not None,
        "the learning rate": kept.has_rate,
        "the length": kept.has_length,
    }
    return [what for what, written in decided.items() if written]


def card_sentences(proposal: Proposal | None) -> list[str]:
    """Return two or three sentences for those who meet the model alone; none without a proposal."""
    if proposal is None:
        return []
    first = f"The plan was {chosen_words(proposal)}."
    if proposal.pilot is not None:
        first += f" {pilot_sentence(proposal.pilot)}"
    reasons = [
        _reason_words(each)
        for each in proposal.option.reasons
        if each.source != _YOURS and each.choice != "none"
    ]
    sentences = [first, f"The reasons: {'; '.join(reasons)}."] if reasons else [first]
    written = written_by_user(proposal)
    if written:
        sentences.append(f"The config, not the planner, decided {listed(written)}.")
    return sentences


def _reason_words(reason: Reason) -> str:
    # Those who read the card did not write the config.
    why = one_line(reason.why).replace("you wrote", "the config has")
    said = f"{reason.axis} {one_line(reason.choice)}: {why}"
    if reason.figure == reason.choice:
        return said
    return f"{said} ({one_line(reason.figure or reason.source)})"
