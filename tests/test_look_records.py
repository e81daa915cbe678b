"""Looks: which plans they fit, and one entry for each number of seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hf_transfer_plugin.look_records import Look, Looks
from tests.decide.results import plan

LOOKS = Looks(plan(seeds=(0, 1, 2)), planned=(0, 1))


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"seeds": (0, 1)}, True),
        ({"seeds": (0, 1, 2, 3)}, True),
        ({"seeds": (0, 2)}, False),
        ({"seeds": (1, 2)}, False),
        ({"batch_size": 8}, False),
        ({"training": {"max_steps": 2}}, False),
    ],
)
def test_they_fit_the_same_plan_with_more_or_fewer_seeds(changes: dict[str, object], fits: bool):
    assert LOOKS.fits(replace(LOOKS.plan, **changes)) is fits


def test_a_look_replaces_those_it_comes_before():
    first = Look(2, 0.1, -math.inf, math.inf, "inconclusive")
    second = Look(3, 0.1, -0.2, 0.4, "inconclusive")
    looks = LOOKS.adding(first).adding(second)
    assert [each.seeds for each in looks.looks] == [2, 3]
    assert looks.adding(replace(second, lower=0.1, outcome="helped")).looks[-1].outcome == "helped"
    assert len(looks.adding(second).looks) == 2
    held = Looks.from_json(looks.to_json())
    assert math.isnan(held.looks[0].lower) and held.looks[1] == second
