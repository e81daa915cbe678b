"""Runs are watched while they train."""

from __future__ import annotations

from typing import Any

from hf_transfer_plugin.records import Alarm, SeedResult
from tests.train.settings import Setting

RUINOUS: dict[str, Any] = {
    "learning_rate": 0.5,
    "num_train_epochs": 8,
    "lr_scheduler_type": "constant",
}


def _train(setting: Setting, **changed: Any) -> SeedResult:
    plan = setting.plan(**({"training": RUINOUS} | changed))
    return setting.train(plan).result


def _kinds(alarms: tuple[Alarm, ...]) -> set[str]:
    return {alarm.kind for alarm in alarms}


def test_a_collapse_is_kept_in_the_result(texts: Setting) -> None:
    result = _train(texts)
    assert "collapse" in _kinds(result.alarms) and result.alarms[0].action == "warn"
    assert SeedResult.from_json(result.to_json()) == result
    assert len(result.curve) == 8


def test_a_healthy_run_and_one_that_is_not_watched(texts: Setting) -> None:
    assert _train(texts, training={"num_train_epochs": 4, "learning_rate": 1e-3}).alarms == ()
    assert _train(texts, watch="off").alarms == ()


def test_stop(texts: Setting) -> None:
    result = _train(texts, watch="stop")
    assert len(result.curve) < 8 and result.alarms[-1].step == result.steps


def test_rollback_is_judged_by_the_weights_it_went_back_to(texts: Setting) -> None:
    result = _train(texts, watch="rollback")
    assert _kinds(result.alarms) == {"collapse"} and result.steps == result.alarms[-1].step
    # No evaluation was sound, so these are the weights before training.
    untrained = _train(texts, training={"num_train_epochs": 1, "learning_rate": 0.0})
    assert result.confidences == untrained.confidences
    assert result.validation == untrained.validation
