"""What of a run is still to train, and about how long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Outlook", "current_outlook", "expecting"]

_EARLY = 0.1
_current: ContextVar[Outlook | None] = ContextVar("outlook", default=None)


class Outlook:
    """Counts the trainings of a run and estimates its time left from those that are over.

    A training of a plan is taken to last as long as the others of the plan did; that of a plan
    which has not begun, as long as the mean plan. Scores, evaluation on test and reports are left
    out.

    Args:
        planned: name of a plan -> trainings that are to come.
        at_most: the run may end earlier.
        clock: seconds.
    """

    def __init__(
        self,
        planned: Mapping[str, int],
        *,
        at_most: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = dict(planned)
        self._total = sum(planned.values())
        self._at_most, self._clock = at_most, clock
        self._seconds: dict[str, list[float]] = {}
        self._plan, self._begun_at, self._number = "", 0.0, 0

    def begin(self, plan: str) -> None:
        """Take note that a training begins; a plan that was not announced counts as one more."""
        if not self._left.get(plan):
            self._total += 1
        self._left[plan] = max(self._left.get(plan, 0) - 1, 0)
        self._plan, self._begun_at = plan, self._clock()
        self._number += 1

    def end(self) -> None:
        """Take note that the training has ended."""
        self._seconds.setdefault(self._plan, []).append(self._clock() - self._begun_at)

    def words(self, share: float) -> str:
        """Say which training this is and how long all of them will still take.

        Args:
            share: of its steps that are made, 0 to 1.
        """
        of = f"at most {self._total}" if self._at_most else f"{self._total}"
        said = f"training {self._number} of {of}"
        left = self.seconds_left(share)
        return said if left is None else f"{said}, about {_duration(left)} left"

    def seconds_left(self, share: float) -> float | None:
        """Return the estimate; None as long as there is nothing to take it from."""
        passed = self._clock() - self._begun_at
        known = {plan: sum(each) / len(each) for plan, each in self._seconds.items()}
        if share >= _EARLY:
            # Later epochs may be served from the cache, so earlier trainings count as well.
            here = passed / share
            known[self._plan] = (here + known.get(self._plan, here)) / 2
        if not known:
            return None
        mean = sum(known.values()) / len(known)
        rest = max(known.get(self._plan, mean) - passed, 0.0)
        return rest + sum(count * known.get(plan, mean) for plan, count in self._left.items())


def current_outlook() -> Outlook | None:
    """Return the outlook of the run that is going on, if it has one."""
    return _current.get()


@contextmanager
def expecting(outlook: Outlook) -> Iterator[Outlook]:
    """Let the trainings inside the block count as those of a run."""
    token = _current.set(outlook)
    try:
        yield outlook
    finally:
        _current.reset(token)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
