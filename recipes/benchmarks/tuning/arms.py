"""What validation chooses with the first seed, and trains with further ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from tuning.lines import Lines

__all__ = ["ChoosingArm"]


class _Trial(Protocol):
    """One training; the last part of its key is the seed."""

    @property
    def key(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=_Trial)


class ChoosingArm(ABC, Generic[T]):
    """One bar of a comparison: what it chooses from, and what the choice gives.

    Attributes:
        criterion: part of a result that is as large as possible for the choice.
    """

    criterion: ClassVar[str]

    @abstractmethod
    def choices(self, lines: Lines) -> list[T]:
        """Return what the criterion chooses from; nothing while that is not known."""

    @abstractmethod
    def trials(self, chosen: T, seeds: int) -> list[T]:
        """Return a choice with the first seeds."""

    def chosen(self, lines: Lines) -> T | None:
        """Return the choice that the criterion likes best, the first of equal ones."""
        choices = self.choices(lines)
        if not choices or any(trial.key not in lines for trial in choices):
            return None
        return max(choices, key=lambda trial: float(lines[trial.key][self.criterion]))

    def wanted(self, lines: Lines, seeds: int) -> list[T]:
        """Return what can be trained now: the choices, then the chosen one with other seeds."""
        chosen = self.chosen(lines)
        trials = self.choices(lines) if chosen is None else self.trials(chosen, seeds)
        return [trial for trial in trials if trial.key not in lines]

    def results(self, lines: Lines) -> dict[int, Mapping[str, Any]]:
        """Return seed -> result of the choice, as far as it is trained, the first seed first."""
        chosen = self.chosen(lines)
        if chosen is None:
            return {}
        seeds = sorted(int(key[-1]) for key in lines if key[:-1] == chosen.key[:-1])
        return {seed: lines[(*chosen.key[:-1], str(seed))] for seed in seeds}
