"""Each class on its own: outcomes, few examples, and the chance of any false one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hf_transfer_plugin.decide.classes import class_verdicts
from hf_transfer_plugin.decide.statistics import paired_t_interval
from hf_transfer_plugin.decide.verdict import judge
from tests.decide.results import result

NAMES = ("a", "b", "c")


def _judged(transfer, control, labels, names=NAMES, **options):
    settings = {"margin": 0.01, "confidence": 0.95, "seed_interval": paired_t_interval}
    return class_verdicts(transfer, control, labels, names, **settings | options)


def _draw(rng, shares, labels, seeds=5):
    return rng.random((seeds, len(labels))) < np.asarray(shares)[np.asarray(labels)]


def test_a_class_that_is_harmed_beside_one_that_is_helped():
    rng, labels = np.random.default_rng(0), [0] * 100 + [1] * 100 + [2] * 100
    transfer = _draw(rng, [0.95, 0.6, 0.8], labels)
    control = _draw(rng, [0.6, 0.95, 0.8], labels)
    found = _judged(transfer, control, labels)
    assert [each.outcome for each in found] == ["helped", "harmed", "inconclusive"]
    for label, each in enumerate(found):
        assert (each.name, each.examples) == (NAMES[label], 100)
        part = slice(100 * label, 100 * label + 100)
        assert each.transfer == pytest.approx(transfer[:, part].mean())
        assert each.difference == pytest.approx(each.transfer - each.control)
        assert each.lower < each.difference < each.upper


def test_the_interval_holds_that_of_student_at_the_level_of_its_step():
    rng, labels = np.random.default_rng(1), [0] * 400 + [1] * 400
    transfer, control = _draw(rng, [0.8, 0.8], labels), _draw(rng, [0.8, 0.8], labels)
    for label, each in enumerate(_judged(transfer, control, labels, NAMES[:2])):
        recalls = [
            side[:, 400 * label : 400 * label + 400].mean(axis=1) for side in (transfer, control)
        ]
        expected = stats.ttest_rel(*recalls).confidence_interval(0.975)
        assert each.lower <= expected.low + 1e-12 and each.upper >= expected.high - 1e-12


@pytest.mark.parametrize(("examples", "outcome"), [(1, "inconclusive"), (2, "inconclusive")])
def test_a_class_with_few_examples_is_not_decided(examples, outcome):
    """All seeds agree, so neither seeds nor the examples themselves show any spread."""
    labels = [0] * examples + [1] * 50
    control = np.ones((5, len(labels)), dtype=bool)
    transfer = control.copy()
    transfer[:, :examples] = False
    few, many = _judged(transfer, control, labels, NAMES[:2])
    assert (few.difference, few.outcome) == (-1.0, outcome)
    assert few.lower <= -1.0 and few.upper > 0.0
    assert many.difference == 0.0 and many.lower < 0.0 < many.upper


def test_a_class_with_enough_examples_that_are_all_lost_is_harmed():
    control = np.ones((5, 20), dtype=bool)
    assert _judged(~control, control, [0] * 20)[0].outcome == "harmed"


def test_a_class_without_examples_is_left_out():
    right = np.ones((2, 4), dtype=bool)
    assert [each.name for each in _judged(right, right, [0, 0, 2, 2])] == ["a", "c"]


def test_the_chance_of_any_false_class_stays_within_the_confidence():
    rng, runs, wrong = np.random.default_rng(2), 150, 0
    labels = sum(([label] * size for label, size in enumerate((3, 10, 30, 60))), [])
    for _ in range(runs):
        hard = rng.uniform(0.4, 1.0, len(labels))
        sides = [rng.random((5, len(labels))) < hard for _ in range(2)]
        found = _judged(*sides, labels, ("a", "b", "c", "d"))
        wrong += any(each.outcome in ("helped", "harmed") for each in found)
    assert wrong / runs <= 0.05


def test_judge_fills_classes_and_hidden_harm_of_paired_predictions_alone():
    transfer, control = result("t", [0.9, 0.88]), result("c", [0.8, 0.79], draw=1)
    verdict = judge(transfer, control)
    assert [each.name for each in verdict.classes] == ["a", "b", "c"]
    assert sum(each.examples for each in verdict.classes) == 200
    weighted = sum(each.examples * each.difference for each in verdict.classes) / 200
    assert weighted == pytest.approx(verdict.difference)
    assert verdict.hidden is not None and verdict.hidden.examples == 200
    for other in (
        judge(transfer, control, paired=False),
        judge(transfer, replace(control, seeds=result("c", [0.8, 0.7], predictions=()).seeds)),
    ):
        assert (other.classes, other.hidden) == ((), None)


def test_a_sequential_verdict_judges_classes_at_every_look_too():
    transfer, control = result("t", [0.9, 0.88] * 4), result("c", [0.8, 0.79] * 4, draw=1)
    once, looked = judge(transfer, control), judge(transfer, control, sequential=True)
    assert (once.sequential, looked.sequential) == (False, True)
    for narrow, wide in zip(once.classes, looked.classes, strict=True):
        assert wide.lower <= narrow.lower and wide.upper >= narrow.upper
