"""How often the verdict is wrong when nothing differs, and right when something does."""

from dataclasses import replace

import numpy as np

from hf_transfer_plugin.decide.verdict import judge
from tests.decide.results import result


def test_false_alarms_stay_within_the_confidence_when_nothing_differs():
    rng = np.random.default_rng(0)
    runs = 2000
    outcomes = []
    for _ in range(runs):
        shared = rng.normal(0.85, 0.02, size=5)  # what a seed does to both plans
        transfer, control = shared + rng.normal(0, 0.01, size=(2, 5))
        outcomes.append(judge(transfer.tolist(), control.tolist()).outcome)
    tolerance = 3 * np.sqrt(0.025 * 0.975 / runs)
    assert outcomes.count("harmed") / runs <= 0.025 + tolerance < 0.05
    assert outcomes.count("helped") / runs <= 0.025 + tolerance < 0.05
    assert outcomes.count("harmed") and outcomes.count("helped")


def test_false_alarms_stay_within_the_confidence_with_few_test_items():
    rng = np.random.default_rng(1)
    runs, found = 300, []
    for _ in range(runs):
        hard = rng.uniform(0.5, 1.0, size=60)
        sides = []
        for name in ("transfer", "from-scratch"):
            right = rng.random((5, 60)) < hard
            predictions = np.where(right, 0, 1)
            whole = result(name, [0.5] * 5, labels=(0,) * 60)
            made = [
                replace(
                    run,
                    predictions=tuple(predictions[i].tolist()),
                    test={"accuracy": float(right[i].mean())},
                )
                for i, run in enumerate(whole.seeds)
            ]
            sides.append(replace(whole, seeds=tuple(made)))
        found.append(judge(*sides).outcome)
    tolerance = 3 * np.sqrt(0.025 * 0.975 / runs)
    assert found.count("harmed") / runs <= 0.025 + tolerance
    assert found.count("helped") / runs <= 0.025 + tolerance


def test_a_true_difference_is_found():
    rng = np.random.default_rng(0)
    found = [
        judge(rng.normal(0.90, 0.01, 5).tolist(), rng.normal(0.85, 0.01, 5).tolist()).outcome
        for _ in range(100)
    ]
    assert found.count("helped") > 95
