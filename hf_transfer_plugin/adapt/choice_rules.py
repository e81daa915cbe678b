"""What makes the further choice of a phase a valid one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hf_transfer_plugin.adapt.numbers import require_count, require_share
from hf_transfer_plugin.errors import ScheduleError, did_you_mean
from hf_transfer_plugin.phases import Choice

__all__ = ["checked_choice"]

# by -> what it takes; None means it must be given.
_TAKES: dict[str, dict[str, int | None]] = {
    "random": {"layers": None, "every": None, "seed": 0},
    "signal_to_noise": {"share": None},
    "settled_gradient": {"percentile": None, "every": None},
    "relative_gradient": {"every": 1},
}


def checked_choice(label: str, choice: object) -> Choice | None:
    """Return the choice of a phase with its defaults filled in.

    Args:
        label: how the error names the phase.
        choice: what arrived.

    Raises:
        ScheduleError: for an unknown way to choose, and for what it lacks or does not take.
    """
    if choice is None:
        return None
    if not isinstance(choice, Choice) or choice.by not in _TAKES:
        by = choice.by if isinstance(choice, Choice) else choice
        raise ScheduleError(
            f"{label} chooses by {by!r}{did_you_mean(str(by), _TAKES)}",
            f"choose with by: one of {', '.join(_TAKES)}",
            "correct `by`, or leave `choose` out",
        )
    takes = _TAKES[choice.by]
    given = {f.name: getattr(choice, f.name) for f in fields(choice) if f.name != "by"}
    for name, value in given.items():
        what = f"{name} of {label}, which chooses by {choice.by}"
        if name not in takes and value is not None:
            raise ScheduleError(
                f"{what}, is {value!r}", f"by {choice.by} takes {', '.join(takes)}", f"drop {name}"
            )
        if name in takes and value is None and takes[name] is None:
            raise ScheduleError(f"{what}, is missing", "a value", f"add {name}")
    defaults: dict[str, Any] = {n: d for n, d in takes.items() if given[n] is None}
    choice = replace(choice, **defaults)
    for name in ("layers", "every", "seed"):
        if getattr(choice, name) is not None:
            minimum = 0 if name == "seed" else 1
            require_count(getattr(choice, name), f"{name} of {label}", minimum)
    if choice.share is not None:
        require_share(choice.share, f"share of {label}", 1.0)
    if choice.percentile is not None:
        require_share(choice.percentile, f"percentile of {label}", 100.0)
    return choice
