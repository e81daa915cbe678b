"""What a comparison that adds seeds until it is settled has seen so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hf_transfer_plugin.records import Outcome, Plan, Verdict
from hf_transfer_plugin.serialization import Record

__all__ = ["Look", "Looks"]


@dataclass(frozen=True)
class Look(Record):
    """One look.

    Attributes:
        seeds: paired seeds it rests on.
        difference: mean of transfer - control.
        lower, upper: anytime-valid interval, joined with that over test examples.
        outcome: as of the verdict.
    """

    seeds: int
    difference: float
    lower: float
    upper: float
    outcome: Outcome

    @classmethod
    def of(cls, verdict: Verdict) -> Look:
        """Return what a verdict showed."""
        v = verdict
        return cls(v.seeds, v.difference, v.lower, v.upper, v.outcome)


@dataclass(frozen=True)
class Looks(Record):
    """The looks of a run folder; while it fits the plan, verdicts are anytime-valid.

    Attributes:
        plan: the transfer with the seeds that are trained, or about to be.
        planned: its seeds before the first look.
        looks: first to last.
    """

    file_name = "looks.json"

    plan: Plan
    planned: tuple[int, ...]
    looks: tuple[Look, ...] = ()

    def fits(self, plan: Plan) -> bool:
        """Return whether a plan is this one, with as many seeds, fewer or more."""
        pairs = zip(self.plan.seeds, plan.seeds, strict=False)
        same = replace(self.plan, seeds=()) == replace(plan, seeds=())
        return same and all(ours == theirs for ours, theirs in pairs)

    def adding(self, look: Look) -> Looks:
        """Return these looks with one more, in place of an earlier one at as many seeds."""
        return replace(self, looks=(*(e for e in self.looks if e.seeds < look.seeds), look))
