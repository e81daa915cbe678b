"""Numbers as they arrive from Python or YAML, checked."""

from __future__ import annotations

import math

from hf_transfer_plugin.errors import ScheduleError

__all__ = ["require_count", "require_number", "require_share"]


def require_number(value: object, what: str) -> float:
    """Return a finite number that is given as a number.

    Args:
        value: what arrived.
        what: how the error names it.

    Raises:
        ScheduleError: for text, a truth value, NaN or infinity.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        action = f"give {what} as a plain number"
        if isinstance(value, str):
            action += ", without quotes (YAML reads 1e-3 as text: write 1.0e-3)"
        raise ScheduleError(f"{what} is {value!r}", "a finite number", action)
    return float(value)


def require_count(value: object, what: str, minimum: int) -> int:
    """Return a whole number of at least `minimum`.

    Raises:
        ScheduleError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ScheduleError(
            f"{what} is {value!r}", f"a whole number from {minimum} up", f"change {what}"
        )
    return value


def require_share(value: object, what: str, largest: float, *, zero: bool = False) -> float:
    """Return a number in (0, largest], or in [0, largest) when it may be zero.

    Raises:
        ScheduleError: for anything else.
    """
    number = require_number(value, what)
    if not (0 <= number < largest if zero else 0 < number <= largest):
        bounds = f"[0, {largest:g})" if zero else f"(0, {largest:g}]"
        raise ScheduleError(f"{what} is {value!r}", f"a number in {bounds}", f"change {what}")
    return number
