"""The gate of a rung: whether validation rules out harm beyond the margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hf_transfer_plugin.decide.checks import check_margin
from hf_transfer_plugin.decide.statistics import paired_t_interval
from hf_transfer_plugin.errors import DataError

__all__ = ["Gate", "gate", "jackknife_scores"]


@dataclass(frozen=True)
class Gate:
    """What validation says of a rung.

    Attributes:
        difference: mean of rung - control.
        lower, upper: paired t-interval of it.
        accepted: lower > -margin.
    """

    difference: float
    lower: float
    upper: float
    accepted: bool


def gate(
    rung: Sequence[float], control: Sequence[float], *, margin: float, confidence: float
) -> Gate:
    """Compare a rung with the control on validation, by the rule of `go`.

    A mean above the control's is not enough: with few seeds it is above by luck half of the time
    where nothing differs. The lower end of the interval has to clear the margin.

    Args:
        rung: validation metric of each seed (higher is better); of one model that is made of all
            seeds, its `jackknife_scores`.
        control: that of the control with the same seeds, in the same order.
        margin: smallest difference that matters, in units of the metric.
        confidence: of the interval, in (0, 1).

    Raises:
        DataError: for seeds that are not paired, or fewer than two.
        ConfigError: for a margin or confidence that does not fit.
    """
    check_margin(margin)
    if len(rung) != len(control):
        raise DataError(
            arrived=f"{len(rung)} scores of the rung, {len(control)} of the control",
            expected="the same seeds on both sides, in the same order",
            action="run the missing seeds",
        )
    differences = [ours - theirs for ours, theirs in zip(rung, control, strict=True)]
    lower, upper = paired_t_interval(differences, confidence)
    return Gate(sum(differences) / len(differences), lower, upper, lower > -margin)


def jackknife_scores(whole: float, without: Sequence[float]) -> tuple[float, ...]:
    """Return one score a seed of a model that is made of all seeds.

    The model alone would be the same number for every seed, as if other seeds gave it again. What
    it is without each seed says how much they matter: the scores have the mean `whole` and the
    spread of the jackknife, and may leave the range of the metric.

    Args:
        whole: metric of the model made of all seeds.
        without: metric of the model made of all seeds but one, for each seed.

    References:
        Tukey, "Bias and confidence in not-quite large samples" (1958).
    """
    mean = sum(without) / len(without)
    return tuple(whole + (len(without) - 1) * (mean - each) for each in without)
