"""Phases that end when validation stops improving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from tests.callbacks.tiny import bert, changed, resnet, tensors, trainer

EVALUATED: dict[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 1,
    "metric_for_best_model": "score",
    "max_steps": 8,
}


class Scored(Trainer):
    """Evaluates for real and adds a score that the test has written down."""

    scores: Sequence[float] = ()

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        output = super().evaluation_loop(*args, **kwargs)
        output.metrics["eval_score"] = self.scores[self.state.global_step - 1]
        return output


class Weights(TrainerCallback):
    """Keeps the weights before and after each step."""

    def __init__(self) -> None:
        self.before: list[dict[str, torch.Tensor]] = []
        self.after: list[dict[str, torch.Tensor]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.before.append(tensors(kwargs["model"]))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.after.append(tensors(kwargs["model"]))


def train(
    model: Any, folder: Path, schedule: FreezingSchedule, scores: Sequence[float], **arguments: Any
) -> tuple[FreezingCallback, Weights, list[int]]:
    callback, weights = FreezingCallback(schedule), Weights()
    run = trainer(model, folder, callback, weights, **(EVALUATED | arguments))
    run.__class__ = Scored
    run.scores = scores  # type: ignore[attr-defined]
    run.train()
    return callback, weights, [callback.state_at(step).phase for step in range(8)]


# scores after each step -> phase of each step, and the step whose weights the second phase takes
TRANSITIONS: dict[str, tuple[list[float], list[int], int | None]] = {
    "at once": ([0.5, 0.4, 0.3, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1], 1),
    "after a rise": ([0.1, 0.2, 0.9, 0.8, 0.7, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1], 3),
    "equal is not better": ([0.5, 0.5, 0.5, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1], 1),
    "not a number": ([float("nan")] * 8, [0, 0, 1, 1, 1, 1, 1, 1], None),
    "never": ([0.1 * step for step in range(8)], [0] * 8, None),
}


@pytest.mark.parametrize("name", TRANSITIONS)
def test_transition_and_best_weights(name: str, tmp_path: Path) -> None:
    scores, phases, best = TRANSITIONS[name]
    schedule = FreezingSchedule.lp_ft().with_plateau(2)
    _, weights, found = train(resnet(), tmp_path, schedule, scores)
    assert found == phases
    if best is not None:
        begun = phases.index(1)
        assert not changed(weights.before[begun], weights.after[best - 1])
        assert changed(weights.before[begun], weights.after[begun - 1])


def test_best_weights_bring_their_batchnorm_statistics(tmp_path: Path) -> None:
    phases = [{"train": "*", "until_plateau": 1}, {"train": "top:0"}]
    schedule = FreezingSchedule.from_phases(phases)
    _, weights, _ = train(resnet(), tmp_path, schedule, [0.5, 0.4, 0, 0, 0, 0, 0, 0])
    moved = changed(weights.after[0], weights.after[1])
    assert any("running_mean" in name for name in moved)
    assert not changed(weights.after[0], weights.before[2])


def test_without_restoring(tmp_path: Path) -> None:
    schedule = FreezingSchedule.lp_ft().with_plateau(1, restore_best=False)
    _, weights, phases = train(bert(), tmp_path, schedule, [0.5, 0.4, 0, 0, 0, 0, 0, 0])
    assert phases == [0, 0, 1, 1, 1, 1, 1, 1]
    assert not changed(weights.before[2], weights.after[1])


def test_latest_end_of_a_phase_that_waits(tmp_path: Path) -> None:
    waits = {"until_plateau": 3, "until_step": 4}
    phases = [{"train": "top:0", **waits}, {"train": "top:1", "until_plateau": 1}, {"train": "*"}]
    schedule = FreezingSchedule.from_phases(phases)
    scores = [0.1, 0.5, 0.3, 0.4, 0.2, 0.1, 0.0, 0.0]
    callback, weights, found = train(bert(), tmp_path, schedule, scores)
    # The first ends at its latest step, the second on its own plateau.
    assert found == [0, 0, 0, 0, 1, 1, 2, 2]
    assert not changed(weights.before[4], weights.after[1])
    assert callback.state_at(7).start == 6


def test_resume_at_every_step(tmp_path: Path) -> None:
    schedule = FreezingSchedule.chain_thaw(1).with_plateau(1)
    scores = [0.5, 0.4, 0.6, 0.5, 0.1, 0.2, 0.3, 0.4]
    saved = {"save_strategy": "steps", "save_steps": 1}
    model = bert()
    _, _, phases = train(model, tmp_path, schedule, scores, **saved)
    assert phases == [0, 0, 1, 1, 2, 2, 2, 2]
    for step in range(1, 8):
        again = bert()
        run = trainer(again, tmp_path / "again", FreezingCallback(schedule), **EVALUATED)
        run.__class__ = Scored
        run.scores = scores  # type: ignore[attr-defined]
        run.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert not changed(tensors(model), tensors(again)), f"resumed at step {step}"


def test_metric_that_is_not_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    schedule = FreezingSchedule.lp_ft().with_plateau(1)
    arguments = EVALUATED | {"metric_for_best_model": None, "max_steps": 2}
    run = trainer(bert(), tmp_path, FreezingCallback(schedule), **arguments)
    run.eval_dataset = {"own": run.eval_dataset}
    run.train()
    assert "waits for a plateau of eval_loss" in caplog.text and "eval_own_loss" in caplog.text


def test_tables_are_whole() -> None:
    assert len(TRANSITIONS) == 5
