"""What would settle an open verdict, and how its interval was made, in plain words."""

from __future__ import annotations

from hf_transfer_plugin.records import Verdict
from hf_transfer_plugin.report.names import one_line

__all__ = ["basis_words", "settle_words", "stop_words"]


def settle_words(verdict: Verdict) -> str:
    """Return how many seeds or test examples would settle it; empty when it is settled."""
    if verdict.outcome != "inconclusive":
        return ""
    seeds = verdict.seeds_needed and f"{_rounded(verdict.seeds_needed)} seeds"
    examples = verdict.examples_needed and f"{_rounded(verdict.examples_needed)} test examples"
    if not (seeds or examples):
        return "More seeds or test examples would tell."
    condition = "if mean and spread stay as they are"
    if examples and not seeds:
        return f"More seeds alone would not settle it: about {examples} in all would, {condition}."
    both = " and ".join(each for each in (seeds, examples) if each)
    return f"About {both} in all would settle it, {condition}."


def _rounded(count: int) -> str:
    """Return a number with two digits that mean something: it is an estimate."""
    return f"{round(count, 2 - len(str(count))) if count >= 100 else count:,}"


_REASONS = {
    "settled": "settled",
    "futile": "futile, for the last look would hardly settle it",
    "budget": "the next look would exceed the budget of the control",
    "last": "the last one",
    "": "it goes on",
}


def stop_words(verdict: Verdict) -> str:
    """Return at which planned look a comparison stopped, and why; empty without planned looks."""
    if verdict.stop is None:
        return ""
    seeds, most, reason = verdict.stop.seeds, verdict.stop.looks[-1], verdict.stop.reason
    verb = "stopped" if reason else "stands"
    return f"{verb} at the look at {seeds} of at most {most} paired seeds: {_REASONS[reason]}"


def basis_words(verdict: Verdict) -> str:
    """Return what a reader must know of how the interval was made; empty for the plain one."""
    sentences = []
    if verdict.sequential:
        sentences.append(
            "Seeds were added one at a time and looked at; the interval is anytime-valid, so it "
            "holds however often that was."
        )
    if verdict.stop is not None:
        for each in (verdict, *verdict.others):
            name = one_line(each.baseline)
            sentences.append(f"The comparison with “{name}” {stop_words(each)}.")
        sentences.append("The intervals of all planned looks hold at once.")
    if verdict.family > 1:
        sentences.append(
            f"It is one of {verdict.family} candidates judged together (Holm's correction)."
        )
    return " ".join(sentences)
