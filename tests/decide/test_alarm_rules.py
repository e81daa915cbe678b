"""When evaluations and gradients become an alarm."""

from __future__ import annotations

import math

import pytest

from hf_transfer_plugin.alarms import Alarm
from hf_transfer_plugin.decide.alarm_rules import (
    Evaluated,
    Gradients,
    Rule,
    at_step,
    mean_curve,
    shares,
)

NAN = math.nan
LN2 = math.log(2)


def rule(patience=2, **changes):
    settings = {"bar": None, "control": {}, "margin": 0.01, "greater": True}
    return Rule(patience=patience, **(settings | changes))


def raised(rule, evaluations, total_steps):
    """Return step -> kinds that are found there."""
    steps = range(1, len(evaluations) + 1)
    found = {n: [f.kind for f in rule.findings(evaluations[:n], total_steps)] for n in steps}
    return {n: kinds for n, kinds in found.items() if kinds}


def scored(*values):
    return [Evaluated(step, value) for step, value in enumerate(values, 1)]


# values, settings of the rule, steps of the run -> where the alarm comes
STREAKS = {
    "never below": ((0.9, 0.9, 0.9), {"bar": 0.8}, 3, []),
    "on the margin": ((0.79, 0.79, 0.79), {"bar": 0.8}, 3, []),
    "once for a streak": ((0.7, 0.7, 0.7, 0.7, 0.7), {"bar": 0.8}, 5, [3]),
    "again after a pause": ((0.9, 0.7, 0.7, 0.9, 0.7, 0.7), {"bar": 0.8}, 6, [3, 6]),
    "climbing early": ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), {"bar": 0.8}, 12, []),
    "climbing late": ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), {"bar": 0.8}, 6, [4]),
    "loss is better below": ((0.3, 0.3, 0.3), {"bar": 0.5, "greater": False}, 3, []),
    "loss is worse above": ((0.7, 0.7, 0.7), {"bar": 0.5, "greater": False}, 3, [3]),
    "no number": ((NAN, NAN, NAN), {"bar": 0.8}, 3, []),
    "control": ((0.5, 0.5, 0.5, 0.5), {"control": {1: 0.4, 3: 0.8, 9: 0.8}}, 4, [3]),
    "control, early": ((0.5,) * 7, {"control": {1: 0.8, 9: 0.8}}, 12, [7]),
    "control, best so far": ((0.8, 0.1, 0.1, 0.1), {"control": {1: 0.8, 9: 0.8}}, 4, []),
    "control at its best": ((0.5, 0.5, 0.5, 0.5), {"control": {1: 0.9, 2: 0.4, 9: 0.4}}, 4, [3]),
    "control of a loss": (
        (0.9, 0.5, 0.9, 0.9),
        {"control": {1: 0.4, 9: 0.8}, "greater": False},
        4,
        [3],
    ),
    "beyond the control": ((0.9, 0.1, 0.1, 0.1), {"control": {1: 0.4, 2: 0.8}}, 4, []),
    "patience": ((0.7, 0.7, 0.7, 0.7), {"bar": 0.8, "patience": 3}, 4, [4]),
}


@pytest.mark.parametrize("name", STREAKS)
def test_streaks(name):
    values, settings, total, steps = STREAKS[name]
    assert list(raised(rule(**settings), scored(*values), total)) == steps


def predicted(step, counts, labels, loss=NAN):
    share, entropy = shares(counts)
    label_share, label_entropy = shares(labels)
    return Evaluated(step, 0.5, loss, share, entropy, label_share, label_entropy)


NARROW = {
    "one of two": ((100, 0), (50, 50), True),
    "nearly one of two": ((97, 3), (50, 50), True),
    "skewed": ((80, 20), (50, 50), False),
    "as skewed as the labels": ((95, 5), (95, 5), False),
    "rare class never predicted": ((100, 0), (99, 1), True),
    "two of ten": ((50, 50), (10,) * 10, False),
    "one and a bit of ten": ((85, 15), (10,) * 10, True),
    "one label alone": ((100, 0), (100, 0), False),
    "labels unknown, one class": ((100, 0), (), True),
    "labels unknown, two": ((99, 1), (), False),
    "nothing seen": ((), (), False),
}


@pytest.mark.parametrize("name", NARROW)
def test_narrow_predictions(name):
    counts, labels, narrow = NARROW[name]
    assert predicted(1, counts, labels).is_narrow is narrow


def test_a_run_that_has_yet_to_learn_has_not_collapsed():
    def run(losses, total):
        pairs = enumerate(losses, 1)
        return list(raised(rule(), [predicted(n, (9, 0), (5, 4), x) for n, x in pairs], total))

    assert run([0.70, 0.69, 0.68, 0.67], 20) == []
    assert run([0.70, 0.69, 0.68, 0.67], 4) == [3]
    assert run([0.70, 0.70, 0.70, 0.70], 20) == [3]
    assert run([2.0, 1.5, 1.2, 0.9], 20) == [2]


def test_shares():
    assert shares([]) == pytest.approx((NAN, NAN), nan_ok=True)
    assert shares([0, 4]) == (1.0, 0.0)
    assert shares([2, 2, 0]) == pytest.approx((0.5, LN2))


def test_curves():
    assert at_step({10: 1.0, 0: 0.0}, 5) == 0.5
    assert math.isnan(at_step({10: 1.0, 0: 0.0}, 11)) and math.isnan(at_step({}, 1))
    assert mean_curve([{0: 0.0, 10: 1.0}, {5: 1.0, 10: 0.0, 20: 1.0}]) == {5: 0.75, 10: 0.5}
    assert mean_curve([]) == {}


def steps(norms, losses=None, tolerated=0):
    gradients, found = Gradients(), []
    for step, norm in enumerate(norms, 1):
        loss = losses[step - 1] if losses else 1.0
        gradients, new = gradients.stepped(step, norm, loss, tolerated=tolerated)
        found += [(step, each.kind, each.since) for each in new]
    return found


def test_gradients_at_each_step():
    assert steps([1.0, NAN, NAN, 1.0, math.inf]) == [(2, "non_finite", 2), (5, "non_finite", 5)]
    assert steps([1.0, 1.0], [1.0, NAN]) == [(2, "non_finite", 2)]
    assert steps([math.inf] * 3, tolerated=2) == [(3, "non_finite", 1)]
    assert steps([math.inf, math.inf, 1.0, math.inf], tolerated=2) == []
    assert steps([1e-9] * 12) == [(10, "vanishing", 1)]
    assert steps([1e-9] * 12, [1e-6] * 12) == []
    assert steps([0.0] * 12, [0.0] * 12) == [(10, "vanishing", 1)]


def test_exploding_gradients_in_the_logs():
    def run(norms, patience):
        gradients, found = Gradients(), []
        for step, norm in enumerate(norms, 1):
            gradients, new = gradients.logged(step, norm, patience)
            found += [(step, each.kind, each.expected) for each in new]
        return found

    usual = [1.0, 2.0, 3.0, 2.0, 1.0]
    assert run([*usual, 500.0, 600.0, 700.0], 2) == [(7, "exploding", 2.0)]
    assert run([*usual, 500.0, 2.0, 500.0], 2) == []
    assert run([1.0, 500.0, 500.0], 1) == []
    assert run([*usual, NAN, 500.0], 1) == [(7, "exploding", 2.0)]


def test_records_survive_json():
    alarm = Alarm(3, "non_finite", "the loss is nan", NAN, NAN, "stop")
    back = Alarm.from_json(alarm.to_json())
    assert back.step == 3 and math.isnan(back.value)
    gradients = Gradients((1.0, 2.0), 1, 2, 3)
    assert Gradients.from_json(gradients.to_json()) == gradients


def test_tables_are_whole():
    assert len(STREAKS) == 16 and len(NARROW) == 11
