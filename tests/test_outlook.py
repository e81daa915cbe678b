"""The time left of a run, by a clock that is set; and how many trainings there will be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hf_transfer_plugin import Average, DataSpec, Plan
from hf_transfer_plugin.outlook import Outlook, current_outlook, expecting
from hf_transfer_plugin.train.ahead import trainings_ahead


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_of_a_run() -> None:
    clock = Clock()
    outlook = Outlook({"from-scratch": 2, "transfer": 3}, clock=clock)
    outlook.begin("from-scratch")
    assert outlook.words(0.0) == "training 1 of 5"
    clock.now = 30
    # 30 s of it, and 60 for each of the four others.
    assert outlook.words(0.5) == "training 1 of 5, about 4 min left"
    assert outlook.seconds_left(0.5) == 30 + 4 * 60
    clock.now = 60
    outlook.end()
    outlook.begin("from-scratch")
    clock.now = 100
    outlook.end()
    outlook.begin("transfer")
    assert outlook.seconds_left(0.0) == 3 * 50, "a plan that nothing is known of takes the mean"
    clock.now = 105
    # Its own pace counts: 10 s a training.
    assert outlook.words(0.5) == "training 3 of 5, about 25 s left"
    outlook.end()
    outlook.begin("a rung")
    assert outlook.words(0.0).startswith("training 4 of 6")
    assert Outlook({"transfer": 3}, at_most=True).words(0).endswith("of at most 3")


def test_nobody_else_counts() -> None:
    with expecting(Outlook({})) as outlook:
        assert current_outlook() is outlook
    assert current_outlook() is None


PLAN = Plan(
    name="transfer", task="text-classification", checkpoint="./bert", data=DataSpec("texts"),
    seeds=(0, 1, 2),
)  # fmt: skip
SOUP = Average.from_config({"name": "soup", "members": 4})


@pytest.mark.parametrize(
    ("changes", "held", "trainings"),
    [
        ({}, 0, 3),
        ({}, 2, 1),
        ({}, 5, 0),
        ({"learning_rates": (1e-3, 1e-2)}, 0, 4),
        ({"learning_rates": (1e-3, 1e-2)}, 1, 2),
        ({"average": SOUP}, 0, 12),
        ({"average": SOUP, "learning_rates": (1e-3, 1e-2)}, 0, 2 + 12),
        ({"checkpoint": "baseline:majority"}, 0, 0),
    ],
)
def test_trainings_ahead(changes: dict[str, Any], held: int, trainings: int) -> None:
    assert trainings_ahead(replace(PLAN, **changes), held) == trainings
