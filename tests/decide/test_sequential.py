"""The anytime interval: against numeric integration, and under looks after every seed."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from hf_transfer_plugin.decide.sequential import anytime_half_width, anytime_interval
from hf_transfer_plugin.errors import ConfigError, DataError

DIFFERENCES = [0.04, 0.015, 0.035, 0.02, 0.01, 0.03]


def _e_value(differences, mean, effect_sd):
    """The ratio of both mixtures, over effect and scale, by quadrature."""
    values = (np.asarray(differences) - mean) / np.std(differences)

    def likelihood(effect, log_scale):
        scale = math.exp(log_scale)  # dσ / σ is d log σ
        return float(np.prod(stats.norm.pdf(values, effect * scale, scale)))

    scales = np.linspace(-2.5, 5.0, 301)
    effects = np.linspace(-8.0, 8.0, 1601) * effect_sd
    prior = stats.norm.pdf(effects, 0.0, effect_sd)
    z = (values[:, None, None] - effects * np.exp(scales)[:, None]) / np.exp(scales)[:, None]
    whole = np.exp(stats.norm.logpdf(z).sum(axis=0) - len(values) * scales[:, None])
    mixed = integrate.simpson(integrate.simpson(whole * prior, x=effects), x=scales)
    return mixed / integrate.quad(lambda s: likelihood(0.0, s), -2.5, 5.0, epsabs=0)[0]


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("effect_sd", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("seeds", [4, 6])
def test_the_ends_have_the_e_value_of_the_confidence(confidence, effect_sd, seeds):
    lower, upper = anytime_interval(DIFFERENCES[:seeds], confidence, effect_sd)
    if (confidence, effect_sd, seeds) == (0.95, 1.0, 4):
        assert (lower, upper) == (-math.inf, math.inf)
        return
    for end in (lower, upper):
        found = _e_value(DIFFERENCES[:seeds], end, effect_sd)
        assert found == pytest.approx(1.0 / (1.0 - confidence), rel=1e-3)
    inside = (lower + 9 * upper) / 10
    assert _e_value(DIFFERENCES[:seeds], inside, effect_sd) < 1.0 / (1.0 - confidence)


def test_it_moves_and_scales_with_the_differences():
    lower, upper = anytime_interval(DIFFERENCES, 0.95)
    moved = anytime_interval([3.0 * each - 1.0 for each in DIFFERENCES], 0.95)
    assert moved == pytest.approx((3.0 * lower - 1.0, 3.0 * upper - 1.0))
    assert anytime_interval([0.25] * 5, 0.95) == (0.25, 0.25)


def test_few_seeds_say_nothing_and_more_say_more():
    halves = [anytime_half_width(seeds, 1.0, 0.95) for seeds in range(2, 41)]
    assert [math.isinf(half) for half in halves[:3]] == [True, True, False]
    assert all(later < earlier for earlier, later in zip(halves[2:], halves[3:], strict=False))
    for seeds, times in ((5, 1.93), (10, 1.76), (20, 1.73)):
        student = stats.t.ppf(0.975, seeds - 1) / math.sqrt(seeds)
        assert halves[seeds - 2] / student == pytest.approx(times, abs=0.01)


@pytest.mark.parametrize("seeds", [5, 8, 12, 20])
def test_the_mixture_suits_5_to_20_seeds(seeds):
    others = [anytime_half_width(seeds, 1.0, 0.95, sd) for sd in np.linspace(0.5, 10.0, 96)]
    assert anytime_half_width(seeds, 1.0, 0.95) <= 1.08 * min(others)


def test_looking_after_every_seed_errs_within_the_confidence():
    runs, last = 4000, 40
    drawn = np.random.default_rng(0).normal(size=(runs, last))
    above, below, student = (np.zeros(runs, dtype=bool) for _ in range(3))
    for seeds in range(2, last + 1):
        part = drawn[:, :seeds]
        mean, deviation = part.mean(axis=1), part.std(axis=1, ddof=1)
        half = deviation * anytime_half_width(seeds, 1.0, 0.95)
        above |= mean > half
        below |= mean < -half
        student |= abs(mean) > deviation * stats.t.ppf(0.975, seeds - 1) / math.sqrt(seeds)
    tolerance = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert 0.01 < (above | below).mean() <= 0.05 + tolerance
    assert above.mean() <= 0.025 + tolerance and below.mean() <= 0.025 + tolerance
    assert student.mean() > 0.2  # what goes wrong without it


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: anytime_interval([0.1], 0.95), DataError, "1 differences"),
        (lambda: anytime_interval([0.1, float("inf")], 0.95), DataError, "inf at position 1"),
        (lambda: anytime_interval([0.1, 0.2], 95), ConfigError, "confidence=95"),
        (lambda: anytime_interval([0.1, 0.2], 0.9, 0.0), ConfigError, "effect_sd=0.0"),
        (lambda: anytime_interval([0.1, 0.2], 0.9, math.nan), ConfigError, "effect_sd=nan"),
    ],
)
def test_errors_say_what_is_wrong(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert caught.value.expected and caught.value.action
