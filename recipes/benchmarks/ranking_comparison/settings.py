"""What holds for all fine-tunings and all rankings of a results file."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.settings import TuningSettings

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings(TuningSettings):
    """Where things lie, and what every fine-tuning has in common.

    Attributes:
        rows: training rows of a target, a stratified sample; a ranking reads the same.
        rates: kind of data -> peak learning rate, the same for every candidate.
    """

    rows: int
    rates: dict[str, float]
