"""Planned looks: what each level is, when they stop, and how often they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hf_transfer_plugin.decide.outcomes import outcome_of
from hf_transfer_plugin.decide.planned_looks import look_levels, planned_look, settling_chance
from hf_transfer_plugin.decide.statistics import paired_t_interval
from hf_transfer_plugin.errors import ConfigError, DataError

LOOKS = (3, 5, 10)
NEAR_ZERO = [0.010, -0.011, 0.002]
# Lower and upper of these stand for a test split of a few examples.
WIDE = (-0.3, 0.31)


@pytest.mark.parametrize("looks", [LOOKS, (2, 4), (7,), (2, 3, 4, 5, 6, 20)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_chances_of_error_add_up(looks: tuple[int, ...], confidence: float) -> None:
    levels = look_levels(looks, confidence)
    assert tuple(levels) == looks
    assert sum(1 - level for level in levels.values()) == pytest.approx(1 - confidence)
    assert all(confidence <= level < 1 for level in levels.values())


def test_the_documented_levels() -> None:
    assert look_levels(LOOKS) == pytest.approx({3: 0.9955, 5: 0.992, 10: 0.9625})


# name -> (differences, margin, interval over test examples, outcome, stop)
CASES = {
    "clear help": ([0.061, 0.064, 0.059], 0.01, None, "helped", "settled"),
    "clear harm": ([-0.061, -0.064, -0.059], 0.01, None, "harmed", "settled"),
    "within the margin": (NEAR_ZERO, 0.5, None, "equivalent", "settled"),
    "nothing to be seen": (NEAR_ZERO, 0.0, None, "inconclusive", "futile"),
    "large but noisy": ([0.03, 0.05, 0.02], 0.01, None, "inconclusive", ""),
    "test examples leave it open": ([0.061, 0.064, 0.059], 0.01, WIDE, "inconclusive", "futile"),
    "still open at five": ([0.03, 0.05, 0.02, 0.0, 0.04], 0.01, None, "inconclusive", ""),
    "the last look": ([0.01, -0.01] * 5, 0.0, None, "inconclusive", "last"),
    "settled at the last": ([0.02, 0.01] * 5, 0.0, None, "helped", "settled"),
}


@pytest.mark.parametrize("name", CASES)
def test_outcome_and_stop(name: str) -> None:
    differences, margin, items, outcome, stop = CASES[name]
    found = planned_look(differences, LOOKS, margin=margin, items=items)
    assert (found.outcome, found.stop) == (outcome, stop)
    lower, upper = paired_t_interval(differences, found.level)
    assert found.level == look_levels(LOOKS)[len(differences)]
    assert (found.lower, found.upper) == (items or (lower, upper))
    # Another unit, and the other side, change nothing.
    turned = [-7 * each for each in differences]
    scaled = items and (-7 * items[1], -7 * items[0])
    mirrored = planned_look(turned, LOOKS, margin=7 * margin, items=scaled)
    sides = {"helped": "harmed", "harmed": "helped"}
    assert (mirrored.outcome, mirrored.stop) == (sides.get(outcome, outcome), stop)


@pytest.mark.parametrize(
    ("differences", "looks", "message"),
    [
        (NEAR_ZERO, (), "increasing numbers"),
        (NEAR_ZERO, (1, 3), "increasing numbers"),
        (NEAR_ZERO, (3, 3, 5), "increasing numbers"),
        (NEAR_ZERO, (5, 3), "increasing numbers"),
        (NEAR_ZERO, (4, 10), r"3 differences for looks at \[4, 10\]"),
    ],
)
def test_looks_that_were_not_planned(
    differences: list[float], looks: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        planned_look(differences, looks)


def test_differences_must_be_finite() -> None:
    with pytest.raises(DataError, match="not finite"):
        planned_look([0.1, math.nan, 0.2], LOOKS)


@pytest.mark.parametrize(("seeds", "margin"), [(3, 0.0), (5, 0.0), (5, 1.0)])
def test_the_predicted_chance_is_the_share_that_comes_true(seeds: int, margin: float) -> None:
    """Over means and scales as the prior has them, far and even, predictions are calibrated."""
    rng, runs, last, level = np.random.default_rng(seeds), 8000, 10, look_levels(LOOKS)[10]
    scale = np.exp(rng.uniform(np.log(0.05), np.log(20), size=(runs, 1)))
    series = rng.uniform(-20, 20, size=(runs, 1)) + scale * rng.normal(size=(runs, last))
    predicted, came = [], []
    for row in series:
        predicted.append(settling_chance(row[:seeds], last, margin, level))
        ends = paired_t_interval(row.tolist(), level)
        came.append(outcome_of(*ends, margin) != "inconclusive")
    chances, true = np.asarray(predicted), np.asarray(came)
    for low, high in ((0.0, 0.4), (0.4, 0.8), (0.8, 1.01)):
        held = (chances >= low) & (chances < high)
        tolerance = 4 * math.sqrt(0.25 / held.sum())
        assert held.sum() > 300
        assert abs(true[held].mean() - chances[held].mean()) < tolerance, (low, high)


def test_false_decisions_stay_within_the_confidence() -> None:
    rng, runs = np.random.default_rng(3), 3000
    counts = {"helped": 0, "harmed": 0, "inconclusive": 0}
    stops = {"settled": 0, "futile": 0, "last": 0}
    for row in rng.normal(size=(runs, 10)):
        for seeds in LOOKS:
            found = planned_look(row[:seeds].tolist(), LOOKS, margin=0.0)
            if found.stop:
                break
        counts[found.outcome] += 1
        stops[found.stop] += 1
    bound = runs * 0.025 + 3 * math.sqrt(runs * 0.025 * 0.975)
    assert 0 < counts["helped"] <= bound and 0 < counts["harmed"] <= bound
    assert stops["futile"] > runs / 2
