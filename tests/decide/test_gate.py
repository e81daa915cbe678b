"""The gate of a rung: an interval, never a mean alone."""

from __future__ import annotations

import statistics

import pytest

from hf_transfer_plugin.decide.gate import gate, jackknife_scores
from hf_transfer_plugin.decide.statistics import paired_t_interval
from hf_transfer_plugin.errors import ConfigError, DataError

CONTROL = (0.80, 0.82, 0.78)


def test_the_lower_end_decides() -> None:
    rung = (0.90, 0.80, 0.82)
    found = gate(rung, CONTROL, margin=0.01, confidence=0.95)
    differences = [a - b for a, b in zip(rung, CONTROL, strict=True)]
    assert (found.lower, found.upper) == paired_t_interval(differences, 0.95)
    assert found.difference == pytest.approx(0.04) and not found.accepted
    assert gate(rung, CONTROL, margin=0.2, confidence=0.95).accepted


def test_equal_to_the_control_is_accepted_only_with_a_margin() -> None:
    assert gate(CONTROL, CONTROL, margin=0.01, confidence=0.95).accepted
    assert not gate(CONTROL, CONTROL, margin=0.0, confidence=0.95).accepted


def test_what_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="2 scores of the rung, 3 of the control"):
        gate((0.9, 0.9), CONTROL, margin=0.01, confidence=0.95)
    with pytest.raises(DataError):
        gate((0.9,), (0.9,), margin=0.01, confidence=0.95)
    with pytest.raises(ConfigError):
        gate(CONTROL, CONTROL, margin=-1.0, confidence=0.95)


def test_jackknife_of_a_plain_mean_gives_back_its_values() -> None:
    """Of a mean over seeds the jackknife knows the spread exactly."""
    values = [0.2, 0.5, 0.9, 0.4]
    without = [(sum(values) - each) / 3 for each in values]
    assert jackknife_scores(statistics.fmean(values), without) == pytest.approx(values)
    assert jackknife_scores(0.7, [0.6, 0.6]) == (0.7, 0.7)
