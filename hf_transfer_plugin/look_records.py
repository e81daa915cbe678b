"""What comparisons that stop at what they see have seen so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hf_transfer_plugin.records import Outcome, Plan, Verdict
from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.verdict_records import StopReason

__all__ = ["Look", "Looks"]


@dataclass(frozen=True)
class Look(Record):
    """One look.

    Attributes:
        seeds: paired seeds it rests on.
        difference: mean of transfer - control.
        lower, upper: anytime-valid interval, or that of a planned look, joined with that over
            test examples.
        outcome: as of the verdict.
        baseline: name of the control.
        stop: why a planned look is the last one of its comparison; "" if it is not.
    """

    seeds: int
    difference: float
    lower: float
    upper: float
    outcome: Outcome
    baseline: str = ""
    stop: StopReason = ""

    @classmethod
    def of(cls, verdict: Verdict) -> Look:
        """Return what a verdict showed."""
        v, reason = verdict, verdict.stop.reason if verdict.stop else ""
        return cls(v.seeds, v.difference, v.lower, v.upper, v.outcome, v.baseline, reason)


@dataclass(frozen=True)
class Looks(Record):
    """The looks of a run folder; while it fits the plan, verdicts allow for them.

    Attributes:
        plan: the transfer with the seeds that are trained, or about to be; with planned looks
            those of the last one.
        planned: its seeds before the first look.
        looks: first to last of each comparison.
        at: planned numbers of paired seeds; empty when one looks after every seed.
    """

    file_name = "looks.json"

    plan: Plan
    planned: tuple[int, ...]
    looks: tuple[Look, ...] = ()
    at: tuple[int, ...] = ()

    def fits(self, plan: Plan) -> bool:
        """Return whether a plan is this one, with as many seeds, fewer or more."""
        pairs = zip(self.plan.seeds, plan.seeds, strict=False)
        same = replace(self.plan, seeds=()) == replace(plan, seeds=())
        return same and all(ours == theirs for ours, theirs in pairs)

    def adding(self, look: Look) -> Looks:
        """Return these looks with one more, in place of one at as many seeds of its comparison."""
        kept = [e for e in self.looks if e.baseline != look.baseline or e.seeds < look.seeds]
        return replace(self, looks=(*kept, look))
