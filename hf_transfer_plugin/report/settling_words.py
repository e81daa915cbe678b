"""What would settle an open verdict, and how its interval was made, in plain words."""

from __future__ import annotations

from hf_transfer_plugin.records import Verdict

__all__ = ["basis_words", "settle_words"]


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


def basis_words(verdict: Verdict) -> str:
    """Return what a reader must know of how the interval was made; empty for the plain one."""
    sentences = []
    if verdict.sequential:
        sentences.append(
            "Seeds were added one at a time and looked at; the interval is anytime-valid, so it "
            "holds however often that was."
        )
    if verdict.family > 1:
        sentences.append(
            f"It is one of {verdict.family} candidates judged together (Holm's correction)."
        )
    return " ".join(sentences)
