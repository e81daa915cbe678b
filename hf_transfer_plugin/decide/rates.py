"""Learning rates around those of a plan: what else is trained in comparison gets a grid."""

from __future__ import annotations

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Plan

__all__ = [
    "DEFAULT_LEARNING_RATE",
    "ENOUGH_RATES",
    "FULL_FACTORS",
    "Rates",
    "checked_rate",
    "own_rates",
    "rates_around",
]

DEFAULT_LEARNING_RATE = 5e-5  # of transformers.TrainingArguments
FULL_FACTORS = (0.3, 1.0, 3.0)
ENOUGH_RATES = 3

Rates = tuple[float, ...]


def own_rates(plan: Plan) -> Rates:
    """Return the rates that a plan trains with: its grid, or the one of its training arguments.

    Raises:
        ConfigError: for a rate that is not positive.
    """
    rates = plan.learning_rates or (plan.training.get("learning_rate", DEFAULT_LEARNING_RATE),)
    return tuple(checked_rate(rate, plan) for rate in rates)


def checked_rate(rate: float | str, plan: Plan) -> float:
    """Return a rate as a number; YAML reads 5e-5 as a text.

    Raises:
        ConfigError: for a rate that is not positive.
    """
    try:
        number = float(rate)
        if 0.0 < number < float("inf"):
            return number
    except (TypeError, ValueError):
        pass
    raise ConfigError(
        arrived=f"a learning rate of {rate!r} for the controls of plan {plan.name!r}",
        expected="finite rates above 0, such as 5e-5",
        action="correct learning_rates or the plan's learning rate",
    ) from None


def rates_around(rates: Rates, factors: Rates) -> Rates:
    """Return each rate times each factor, lowest first."""
    # Three digits, so that 3 x 5e-05 reads 0.00015 in records and logs.
    return tuple(sorted({float(f"{rate * factor:.3g}") for rate in rates for factor in factors}))
