"""What is noticed while a run trains: one record for each alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hf_transfer_plugin.serialization import Record

__all__ = ["GOES_BACK", "Alarm", "AlarmAction", "AlarmKind", "Watch"]

AlarmAction = Literal["warn", "stop", "rollback", "refreeze", "rescue"]
AlarmKind = Literal[
    "below_bar", "below_control", "collapse", "exploding", "non_finite", "vanishing"
]

Watch = Literal["off", "warn", "stop", "rollback", "refreeze", "rescue"]

#: Actions that put the best weights so far back.
GOES_BACK: frozenset[AlarmAction] = frozenset({"rollback", "refreeze", "rescue"})


@dataclass(frozen=True)
class Alarm(Record):
    """One alarm of a training run; a reason to look, not a verdict.

    Attributes:
        step: optimizer step at which it was raised.
        kind: "below_bar", "below_control" (negative transfer), "collapse" (of the predicted
            classes), "non_finite", "exploding" or "vanishing" (of the gradients).
        message: the diagnosis in plain words.
        value: what was seen (NaN when it is no number).
        expected: what it was held against.
        action: what was done.
    """

    step: int
    kind: AlarmKind
    message: str
    value: float
    expected: float
    action: AlarmAction
