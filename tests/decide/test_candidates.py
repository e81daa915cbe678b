"""Several candidates against one control."""

from dataclasses import replace

import numpy as np
import pytest

from hf_transfer_plugin import judge_all
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError, DataError
from tests.decide.results import result

GOOD, SAME, CONTROL = [0.91, 0.92, 0.90], [0.85, 0.84, 0.85], [0.85, 0.85, 0.84]


def test_the_example():
    found = judge_all([GOOD, SAME], CONTROL)
    assert [each.outcome for each in found] == ["helped", "inconclusive"]
    assert [each.family for each in found] == [2, 2]
    assert [each.confidence for each in found] == pytest.approx([0.975, 0.95])


def test_one_candidate_is_judged_as_by_judge():
    transfer, control = result("transfer", [0.9, 0.88]), result("from-scratch", [0.8, 0.79])
    assert judge_all([transfer], control) == (judge(transfer, control),)


def test_a_lucky_one_among_many_is_not_called_helpful():
    lucky = [0.868, 0.86, 0.853]
    assert judge(lucky, CONTROL).outcome == "helped"
    others = [[0.85, 0.86, 0.83], [0.84, 0.85, 0.86], [0.86, 0.83, 0.85], [0.83, 0.86, 0.84]]
    assert judge_all([lucky, *others], CONTROL)[0].outcome == "inconclusive"


def test_other_controls_are_not_corrected_for():
    transfers = [result("a", [0.9, 0.88, 0.9]), result("b", [0.8, 0.81, 0.79], draw=2)]
    controls = [result("from-scratch", [0.7, 0.72, 0.7], draw=1), result("majority", [0.4] * 3)]
    found = judge_all(transfers, controls)
    for transfer, verdict in zip(transfers, found, strict=True):
        assert verdict.others == judge(transfer, controls).others
        own = judge(transfer, controls, confidence=verdict.confidence)
        assert replace(verdict, family=1, others=()) == replace(own, others=())


def test_the_chance_of_any_false_decision_stays_within_the_confidence():
    rng, runs, wrong = np.random.default_rng(0), 500, 0
    for _ in range(runs):
        control = rng.normal(0.85, 0.01, 5)
        transfers = [rng.normal(0.85, 0.01, 5).tolist() for _ in range(6)]
        outcomes = {each.outcome for each in judge_all(transfers, control.tolist())}
        wrong += bool(outcomes & {"helped", "harmed"})
    assert 0 < wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_errors_say_what_is_wrong():
    with pytest.raises(DataError, match="no candidate to judge"):
        judge_all([], CONTROL)
    with pytest.raises(ConfigError, match="confidence=95"):
        judge_all([GOOD], CONTROL, confidence=95)
