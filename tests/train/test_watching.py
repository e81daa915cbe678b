"""What a run of a plan is held against, for how long, and what an alarm then does to its seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
from hf_transfer_plugin.records import CurvePoint, Phase, RunResult
from hf_transfer_plugin.train import Against, run
from hf_transfer_plugin.train.arguments import training_arguments
from hf_transfer_plugin.train.watching import watching
from tests.decide.results import plan, result
from tests.train.settings import Setting


def _curved(name: str, curves: list[dict[int, float]], ends: tuple[float, ...]) -> RunResult:
    """Return a result whose seeds have these curves, and these validation metrics at the end."""
    made = result(name, ends)
    seeds = tuple(
        replace(seed, steps=max(curve), curve=tuple(_point(*each) for each in curve.items()))
        for seed, curve in zip(made.seeds, curves, strict=True)
    )
    return replace(made, seeds=seeds)


def _point(step: int, value: float) -> CurvePoint:
    return CurvePoint(step, step / 10, 1.0, 1.0, value)


CURVE = {10: 0.4, 20: 0.6, 30: 0.8}
SCRATCH = _curved("from-scratch", [CURVE, CURVE], (0.8, 0.8))
PROBE = _curved("frozen-probe", [CURVE], (0.7,))
MAJORITY = result("majority", (0.5, 0.5))


@pytest.mark.parametrize(
    ("controls", "control", "bar"),
    [
        ([SCRATCH, MAJORITY], SCRATCH, None),
        ([SCRATCH, MAJORITY, PROBE], SCRATCH, PROBE),
        ([PROBE, SCRATCH], PROBE, PROBE),
        # A curve of a control that does not decide says nothing of the verdict.
        ([MAJORITY, SCRATCH], None, None),
        ([MAJORITY, PROBE], None, PROBE),
        ([], None, None),
    ],
)
def test_what_controls_tell(
    controls: list[RunResult], control: RunResult | None, bar: RunResult | None
) -> None:
    decides = controls[0].plan.name if controls else ""
    found = Against.of(controls, decides, 0.02)
    assert found == Against(control, bar, 0.02)
    assert found.is_empty == (control is None and bar is None)
    watch = NegativeTransferCallback(found.control, bar=found.bar)
    assert watch.options.control == (CURVE if control else {})
    assert watch.options.bar == (pytest.approx(0.7) if bar else None)


def test_a_seed_of_the_control_that_ended_early_stays_as_good_as_it_is() -> None:
    rolled_back = {10: 0.4, 20: 0.0}
    control = _curved("from-scratch", [CURVE, rolled_back], (0.8, 0.4))
    found = NegativeTransferCallback(control).options.control
    assert found == pytest.approx({10: 0.4, 20: 0.5, 30: 0.6})


@pytest.mark.parametrize(
    ("training", "own", "patience"),
    [
        ({}, None, 2),
        ({"num_train_epochs": 5}, None, 2),
        ({"num_train_epochs": 6}, None, 3),
        ({"num_train_epochs": 2, "eval_strategy": "steps", "eval_steps": 5}, None, 3),
        ({"max_steps": 50}, None, 3),
        ({"num_train_epochs": 2}, 1, 1),
    ],
)
def test_patience(training: dict[str, Any], own: int | None, patience: int) -> None:
    made = plan(training=training, watch_patience=own)
    (watch,) = watching(made, training_arguments(made, 0, None, "unused"), Against(margin=0.05))
    assert (watch.options.patience, watch.options.margin) == (patience, 0.05)


#: A head at one rate that moves nothing, and at one that learns.
GRID: dict[str, Any] = {
    "watch": "rescue",
    "schedule": (Phase(train=("head",)),),
    "training": {"num_train_epochs": 5},
}


def test_a_rate_that_validation_refuses_hands_nothing_over(texts: Setting, tmp_path: Path) -> None:
    against, file = Against(bar=0.6), tmp_path / "result.json"
    made = texts.plan(learning_rates=(1e-7, 3e-1), **GRID)
    found = run(made, data=texts.data, against=against, results=file)
    assert found.grid["1e-07"] < 0.6 < found.grid["0.3"]
    assert found.handed_over() == () and {seed.steps for seed in found.seeds} == {25}
    # What is there stays, whatever it is held against.
    assert run(made, data=texts.data, results=file, against=Against(bar=1.0)) == found


def test_the_chosen_rate_hands_each_seed_over(
    texts: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    found = run(texts.plan(learning_rates=(1e-7,), **GRID), data=texts.data, against=Against(bar=1))
    assert found.handed_over() == (0, 1)
    assert all(seed.steps < 25 for seed in found.seeds)
    assert "collapses and broken gradients alone" not in caplog.text
    run(texts.plan(training={"max_steps": 1}, watch="rescue"), data=texts.data)
    assert "collapses and broken gradients alone" in caplog.text
