"""What a ladder of rescues tried after a transfer that may harm, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.serialization import Record
from hf_transfer_plugin.verdict_records import Verdict

__all__ = ["Rescue", "Rung", "RungName"]

RungName = Literal[
    "lp-ft", "wise-ft", "greedy-soup", "adapter-only", "frozen-probe", "return-control"
]


@dataclass(frozen=True)
class Rung(Record):
    """One step down the ladder, measured on validation alone.

    Attributes:
        name: which step.
        accepted: `lower` > -margin; the control itself always is.
        why: the reason, or why it was skipped.
        validation: metric of each seed, in the order of the plan; of a soup, `jackknife_scores`;
            empty when it was skipped.
        difference: mean of rung - control over the paired seeds.
        lower, upper: paired t-interval of the difference.
        chosen: what validation chose: "alpha 0.4", "seeds 2, 0", "rate 0.003".
        seconds: what it took.
    """

    name: RungName
    accepted: bool
    why: str
    validation: tuple[float, ...] = ()
    difference: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    chosen: str = ""
    seconds: float = 0.0

    @property
    def mean(self) -> float:
        """Return the validation metric, mean over seeds; nan when it was skipped."""
        if not self.validation:
            return float("nan")
        return sum(self.validation) / len(self.validation)


@dataclass(frozen=True)
class Rescue(Record):
    """A ladder: how far it was climbed down, and what was returned.

    Attributes:
        harm: the verdict that began it; a ladder is one of these results alone.
        control_validation: metric of the control with each paired seed.
        rungs: those that were tried or skipped, first to last; the last one may be accepted.
        verdict: on the test split, once, of the rung that was accepted; None while the ladder
            goes on, and when the transfer or the control itself is returned.
        kept_seed: seed whose weights are written; None when nothing was.
        finished: nothing is left to do.
    """

    file_name = "rescue.json"

    harm: Verdict
    control_validation: tuple[float, ...] = ()
    rungs: tuple[Rung, ...] = ()
    verdict: Verdict | None = None
    kept_seed: int | None = None
    finished: bool = False

    @property
    def accepted(self) -> Rung | None:
        """Return the rung that was accepted, if the ladder has come to one."""
        return self.rungs[-1] if self.rungs and self.rungs[-1].accepted else None

    def fits(self, verdict: Verdict) -> bool:
        """Return whether a verdict is the one that began the ladder."""
        # As JSON, where a number that is missing equals itself.
        return self.harm.to_json() == verdict.to_json()
