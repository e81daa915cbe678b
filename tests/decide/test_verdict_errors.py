"""What cannot be judged, and how the error says so."""

from dataclasses import replace

import pytest

from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError, DataError, TransferError
from hf_transfer_plugin.records import DataSpec
from tests.decide.results import ITEMS, LABELS, result

T, C = result("transfer", [0.9, 0.8]), result("from-scratch", [0.7, 0.75])
MANY = LABELS[:-1] + ((LABELS[-1] + 1) % 3,)
ERRORS = {
    "one seed": (([0.9], [0.8]), {}, "at least 2 seeds"),
    "no seed": (([], []), {}, "at least 2 seeds"),
    "NaN": (([0.9, float("nan")], [0.8, 0.7]), {}, "nan at position 1"),
    "infinite": (([0.9, 0.8], [0.8, -float("inf")]), {}, "scores of the control .* -inf"),
    "lengths": (([0.9, 0.8], [0.8, 0.7, 0.6]), {}, "2 scores of transfer, 3 of the control"),
    "a margin below zero": (([0.9, 0.8], [0.8, 0.7]), {"margin": -0.01}, "margin=-0.01"),
    "confidence in percent": (([0.9, 0.8], [0.8, 0.7]), {"confidence": 95}, "confidence=95"),
    "record and scores": ((T, [0.8, 0.7]), {}, r"result\.scores\(\)"),
    "scores and record": (([0.8, 0.7], C), {}, "control holds .*RunResult"),
    "no control": ((T, []), {}, "control holds nothing"),
    "unknown baseline": ((T, C), {"baseline": "majority"}, r"one of \['from-scratch'\]"),
    "single numbers": ((0.9, 0.8), {}, "at least 2 seeds"),
    "no shared seed": ((T, result("c", [0.7, 0.8], seeds=[7, 8])), {}, "0 in common"),
    "one shared seed": ((T, result("c", [0.7, 0.8], seeds=[1, 8])), {}, "1 in common"),
    "a seed twice": ((result("t", [0.7, 0.8], seeds=[1, 1]), C), {}, r"holds seeds \[1, 1\]"),
    "other labels": ((T, result("c", [0.7, 0.8], labels=MANY)), {}, f"1 of {ITEMS} test labels"),
    "fewer labels": ((T, result("c", [0.7, 0.8], labels=LABELS[:90])), {}, "200 test labels"),
    "other metric": ((T, result("c", [0.7, 0.8], changes={"metric": "f1"})), {}, "metric"),
    "other data": (
        (T, result("c", [0.7, 0.8], changes={"data": DataSpec("sample:data", seed=1)})),
        {},
        "data.seed 0 against 1",
    ),
    "other classes": ((T, replace(C, class_names=("a", "b", "z"))), {}, "classes"),
    "metric missing": ((T, result("c", [0.7, 0.8], test={"f1": 0.5})), {}, r"only \['f1'\]"),
    "diverged": (
        (T, result("c", [0.7, float("nan")], predictions=())),
        {},
        "scores of c that are not finite",
    ),
    "cut off": ((T, result("c", [0.7, 0.8], predictions=(1, 2))), {}, "2 predictions for 200"),
}


def test_the_table_of_errors_is_complete():
    assert len(ERRORS) == 23


@pytest.mark.parametrize("case", list(ERRORS))
def test_what_cannot_be_judged_says_why(case):
    arguments, options, text = ERRORS[case]
    with pytest.raises(TransferError, match=text) as caught:
        judge(*arguments, **options)
    assert type(caught.value) in (ConfigError, DataError)
    assert caught.value.expected and caught.value.action


def test_a_plan_that_only_prepares_its_examples_otherwise_can_be_compared():
    pixels = result("c", [0.7, 0.8], changes={"data": DataSpec("sample:data", image_size=32)})
    assert judge(T, pixels).seeds == 2
