"""Holm's steps, against adjusted p-values."""

import numpy as np
import pytest

from hf_transfer_plugin.decide.families import step_down_levels


def _holm(p_values):
    """Adjusted p-values as in the paper."""
    adjusted, highest = {}, 0.0
    for place, index in enumerate(np.argsort(p_values)):
        highest = max(highest, (len(p_values) - place) * p_values[index])
        adjusted[index] = min(1.0, highest)
    return [adjusted[index] for index in range(len(p_values))]


def _decided(p_values, confidence=0.95):
    levels = step_down_levels(lambda i, c: p_values[i] < 1 - c, len(p_values), confidence)
    return levels, [p < 1 - level for p, level in zip(p_values, levels, strict=True)]


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([], []),
        ([0.04], [True]),
        ([0.2], [False]),
        ([0.01, 0.04, 0.03], [True, False, False]),  # 0.03 is above 0.05 / 2
        ([0.01, 0.04, 0.02], [True, True, True]),
        ([0.02, 0.02, 0.02], [False, False, False]),  # none is below 0.05 / 3
        ([0.001, 0.001, 0.04], [True, True, True]),
    ],
)
def test_decisions(p_values, expected):
    assert _decided(p_values)[1] == expected


def test_decisions_are_those_of_adjusted_p_values():
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = (rng.random(rng.integers(1, 9)) ** 3).tolist()
        assert _decided(p_values)[1] == [p < 0.05 for p in _holm(p_values)]


def test_levels_are_those_of_the_steps():
    levels, _ = _decided([0.001, 0.04, 0.02])
    assert levels == pytest.approx((1 - 0.05 / 3, 0.95, 1 - 0.05 / 2))
    levels, _ = _decided([0.5, 0.6])
    assert levels == pytest.approx((0.975, 0.975))
