"""An interval for paired differences that holds however often one looks at it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hf_transfer_plugin.decide.checks import check_level, finite_scores
from hf_transfer_plugin.errors import ConfigError

__all__ = ["EFFECT_SD", "anytime_half_width", "anytime_interval"]

# Mean over standard deviation is drawn from a normal with this one. Of all widths it is the best
# near 6 seeds at 95 %; from 5 to 20 none gives an interval that is narrower by more than 8 %.
EFFECT_SD = 2.0


def anytime_interval(
    differences: Sequence[float], confidence: float, effect_sd: float = EFFECT_SD
) -> tuple[float, float]:
    """Return an interval for the mean that may be looked at after every seed.

    With the confidence, all the intervals of one growing series hold the true mean at once, so
    a series may be stopped on what they show; Student's interval then errs far too often. The
    price is width: 1.9 times Student's at 5 seeds, 1.7 times at 20.

    It holds every mean whose e-value is below 1 / (1 - confidence). The e-value is the likelihood
    ratio of what a change of scale leaves of the data, mixed over effects (mean over standard
    deviation) from a normal around 0; the true mean's is a martingale that starts at 1, so it
    ever gets that far with probability 1 - confidence at most (Ville's inequality). Exact for
    independent normal differences of unknown variance.

    Args:
        differences: [seeds], transfer - control with the same seed; at least two.
        confidence: in (0, 1).
        effect_sd: standard deviation of the mixed effects; must not be chosen from the data.

    Returns:
        Lower and upper end, infinite while the seeds are too few to say anything (up to 3 at
        95 %). They coincide when all differences are equal.

    Raises:
        DataError: for fewer than two differences, or one that is not finite.
        ConfigError: for a confidence outside (0, 1), or an effect_sd that is not positive.

    References:
        Ville, "Étude critique de la notion de collectif" (1939).
        Lai, "On confidence sequences" (1976).
        Wang and Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with
        unknown variance" (2024).
    """
    values = finite_scores(differences, "differences")
    centre, deviation = float(values.mean()), float(values.std(ddof=1))
    half = anytime_half_width(len(values), deviation, confidence, effect_sd)
    return centre - half, centre + half


def anytime_half_width(
    seeds: int, deviation: float, confidence: float, effect_sd: float = EFFECT_SD
) -> float:
    """Return half the width of `anytime_interval`.

    Args:
        seeds: number of differences, at least two.
        deviation: their standard deviation.
        confidence: in (0, 1).
        effect_sd: see `anytime_interval`.

    Raises:
        ConfigError: for a confidence outside (0, 1), or an effect_sd that is not positive.
    """
    check_level(confidence)
    if not 0.0 < effect_sd < math.inf:
        raise ConfigError(
            arrived=f"effect_sd={effect_sd}",
            expected="a finite number above 0, fixed before the first look",
            action=f"leave effect_sd out: {EFFECT_SD:g} suits 5 to 20 seeds",
        )
    # With u = t² / (n - 1) and k = 1 + n effect_sd², the e-value is
    # k^(-1/2) ((1 + u) / (1 + u / k))^(n/2): solved for the u at which it is 1 / (1 - confidence).
    spread = 1.0 + seeds * effect_sd**2
    growth = (math.log(spread) - 2.0 * math.log1p(-confidence)) / seeds
    if growth >= math.log(spread):
        return math.inf
    squared = math.expm1(growth) / (1.0 - math.exp(growth) / spread)
    return deviation * math.sqrt(squared * (seeds - 1) / seeds)
