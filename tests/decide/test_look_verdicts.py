"""Verdicts at planned looks: which seeds enter, where each comparison stops, and the budget."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hf_transfer_plugin.decide.look_verdicts import (
    judge_at_looks,
    seeds_wanted,
    training_seconds,
)
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import RunResult, Verdict
from tests.decide.results import result

LOOKS = (3, 5, 10)
TRANSFER = [0.90, 0.91, 0.89, 0.90, 0.91, 0.90, 0.89, 0.91, 0.90, 0.90]
WORSE = [each - 0.3 for each in TRANSFER]
# Worse on average by one and a half times the spread, which five seeds cannot show.
NOISY = [0.85, 0.91, 0.85, 0.89, 0.87, 0.87, 0.84, 0.89, 0.86, 0.86]
SAME = [0.89, 0.91, 0.90, 0.91, 0.90, 0.90, 0.90, 0.90, 0.90, 0.90]


def _result(name: str, accuracies: list[float], draw: int = 0) -> RunResult:
    return result(name, accuracies, labels=tuple(i % 3 for i in range(2000)), draw=draw)


def _stop(verdict: Verdict) -> tuple[str, str, int]:
    assert verdict.stop is not None
    assert verdict.seeds == verdict.stop.seeds
    return verdict.outcome, verdict.stop.reason, verdict.seeds


# name -> (scores of the control, seeds of the control, (outcome, reason, seeds))
CASES = {
    "settled, though more seeds are there": (WORSE, 10, ("helped", "settled", 3)),
    "open at the first look": (NOISY, 3, ("inconclusive", "", 3)),
    "between two looks": (NOISY, 4, ("inconclusive", "", 3)),
    "settled later": (NOISY, 10, ("helped", "settled", 10)),
    "futile": (SAME, 10, ("inconclusive", "futile", 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_where_a_comparison_stops(name: str) -> None:
    scores, seeds, wanted = CASES[name]
    transfer, control = _result("transfer", TRANSFER), _result("from-scratch", scores[:seeds], 1)
    verdict = judge_at_looks(transfer, [control], LOOKS, margin=0.0)
    assert _stop(verdict) == wanted
    assert verdict.confidence == 0.95 and verdict.stop and verdict.stop.looks == LOOKS
    used = [replace(each, seeds=each.seeds[: wanted[2]]) for each in (transfer, control)]
    plain = judge(used[0], used[1], margin=0.0, confidence=verdict.stop.level)
    assert replace(verdict, stop=None, confidence=plain.confidence) == plain
    assert seeds_wanted(verdict) == ({} if wanted[1] else {"from-scratch": 5})


def test_each_comparison_stops_by_itself() -> None:
    controls = [
        _result("from-scratch", NOISY[:3], 1),
        _result("frozen-probe", WORSE[:3], 2),
        _result("majority", SAME[:3], 3),
    ]
    verdict = judge_at_looks(_result("transfer", TRANSFER[:3]), controls, LOOKS, margin=0.0)
    assert [_stop(each)[1] for each in (verdict, *verdict.others)] == ["", "settled", "futile"]
    assert seeds_wanted(verdict) == {"from-scratch": 5}
    again = Verdict.from_json(verdict.to_json())
    assert again.stop == verdict.stop and again.others[1].stop == verdict.others[1].stop


def test_a_budget_stops_what_is_open_alone() -> None:
    # A second a seed, as tests.decide.results has it.
    transfer, control = _result("transfer", TRANSFER), _result("from-scratch", NOISY[:3], 1)
    assert (training_seconds(control, 3), training_seconds(control, 5)) == (3.0, 5.0)
    for minutes, reason in ((4.9 / 60, "budget"), (5.1 / 60, "")):
        verdict = judge_at_looks(transfer, [control], LOOKS, margin=0.0, control_minutes=minutes)
        assert _stop(verdict) == ("inconclusive", reason, 3)
    settled = judge_at_looks(
        transfer, [_result("from-scratch", WORSE, 1)], LOOKS, control_minutes=1e-9
    )
    assert _stop(settled) == ("helped", "settled", 3)


def test_the_grid_counts() -> None:
    control = _result("from-scratch", NOISY[:3], 1)
    tried = replace(control, plan=replace(control.plan, learning_rates=(1e-4, 1e-3, 1e-2)))
    assert training_seconds(tried, 5) == 7.0


def test_too_few_seeds_for_a_look() -> None:
    with pytest.raises(DataError, match="2 paired seeds of transfer and from-scratch"):
        judge_at_looks(
            _result("transfer", TRANSFER), [_result("from-scratch", NOISY[:2], 1)], LOOKS
        )


def test_older_verdicts_are_read() -> None:
    verdict = judge([0.91, 0.92, 0.90], [0.85, 0.85, 0.84])
    data = verdict.to_json()
    assert data.pop("stop") is None
    assert Verdict.from_json(data) == verdict
