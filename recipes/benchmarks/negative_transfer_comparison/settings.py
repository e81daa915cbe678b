"""What holds for all trainings and forecasts of a results file."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.settings import TuningSettings

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings(TuningSettings):
    """Where things lie, and what every training has in common; `epochs` is the least number.

    Attributes:
        validation_rows: on which each side chooses its rate.
        steps: least number of steps of a training.
        evaluations: of a training, on the validation rows.
        rates: kind of data -> peak learning rates that each side may choose from.
    """

    validation_rows: int
    steps: int
    evaluations: int
    rates: dict[str, list[float]]
