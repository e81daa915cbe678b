"""The plan for more seeds and more test examples."""

import numpy as np
import pytest
from scipy import stats

from hf_transfer_plugin.decide.power import examples_to_settle, seeds_to_settle
from hf_transfer_plugin.decide.sequential import anytime_half_width
from hf_transfer_plugin.errors import ConfigError


@pytest.mark.parametrize(
    ("differences", "margin", "expected"),
    [
        ([0.03, 0.02, 0.025], 0.01, 3),  # settled already
        ([0.0, 0.0, 0.0], 0.01, 3),
        ([0.0, 0.0, 0.0], 0.0, None),  # nothing fits inside a margin of nothing
        ([0.02, -0.02], 0.0, None),
        ([0.03, 0.01, 0.02], 0.01, 4),
        ([0.03, -0.01], 0.01, 34),
    ],
)
def test_seeds_to_settle(differences, margin, expected):
    assert seeds_to_settle(differences, margin, 0.95) == expected


@pytest.mark.parametrize("mean", [0.0, 0.004, 0.012, -0.012])
def test_seeds_to_settle_is_the_first_number_that_settles(mean):
    base = np.array([1.0, -1.0, 0.5, -0.5])
    differences = mean + 0.02 * base
    found = seeds_to_settle(differences, 0.01, 0.95)
    deviation = differences.std(ddof=1)

    def settles(seeds):
        half = stats.t.ppf(0.975, seeds - 1) * deviation / np.sqrt(seeds)
        return abs(mean) > half or abs(mean) + half < 0.01

    assert found == next(seeds for seeds in range(4, 10_000) if settles(seeds))


@pytest.mark.parametrize("mean", [0.0, 0.004, 0.012, -0.012])
def test_looking_after_every_seed_takes_more_of_them(mean):
    differences = mean + 0.02 * np.array([1.0, -1.0, 0.5, -0.5])
    found = seeds_to_settle(differences, 0.01, 0.95, anytime=True)
    deviation = differences.std(ddof=1)

    def settles(seeds):
        half = anytime_half_width(seeds, deviation, 0.95)
        return abs(mean) > half or abs(mean) + half < 0.01

    assert found == next(seeds for seeds in range(4, 10_000) if settles(seeds))
    assert found > seeds_to_settle(differences, 0.01, 0.95)


@pytest.mark.parametrize(
    ("interval", "difference", "margin", "expected"),
    [
        ((0.01, 0.03), 0.02, 0.01, 100),  # settled already
        ((-0.02, 0.06), 0.02, 0.0, 401),  # four times as many bring the lower end to zero
        ((-0.06, 0.02), -0.02, 0.0, 401),
        ((-0.02, 0.02), 0.0, 0.01, 401),
        ((-0.02, 0.03), 0.005, 0.02, 278),  # (0.02 - 0.005) / 0.025 of the width
        ((-0.02, 0.02), 0.0, 0.0, None),
    ],
)
def test_examples_to_settle(interval, difference, margin, expected):
    assert examples_to_settle(interval, difference, margin, 100) == expected


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: seeds_to_settle([0.1, 0.2], -0.01, 0.95), "margin=-0.01"),
        (lambda: seeds_to_settle([0.1, 0.2], float("nan"), 0.95), "margin=nan"),
        (lambda: seeds_to_settle([0.1, 0.2], 0.01, 1.5), "confidence=1.5"),
        (lambda: examples_to_settle((0.0, 0.1), 0.05, -1.0, 9), "margin=-1.0"),
    ],
)
def test_errors_say_what_is_wrong(call, text):
    with pytest.raises(ConfigError, match=text):
        call()
