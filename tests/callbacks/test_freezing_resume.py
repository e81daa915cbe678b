"""A resumed run ends with the weights of an uninterrupted one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.errors import ScheduleError
from tests.callbacks.tiny import (
    MODELS,
    STEPS,
    assert_untouched,
    bert,
    changed,
    flags,
    tensors,
    trainer,
)

HALVES = FreezingSchedule.lp_ft(0.5)
SCALED = FreezingSchedule.lp_ft(0.5, rate=0.5)


@pytest.fixture(scope="module", params=MODELS)
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, torch.Tensor], Path]:
    """Return model kind, final weights and folder of a run with a checkpoint every 2 steps."""
    model, folder = MODELS[request.param](), tmp_path_factory.mktemp(request.param)
    trainer(model, folder, FreezingCallback(SCALED), save_strategy="steps", save_steps=2).train()
    return request.param, tensors(model), folder


@pytest.mark.parametrize("step", [2, 4, 6])
def test_resume_is_bit_exact(
    whole: tuple[str, dict[str, torch.Tensor], Path], step: int, tmp_path: Path
) -> None:
    kind, weights, folder = whole
    model = MODELS[kind]()
    run = trainer(model, tmp_path, FreezingCallback(SCALED))
    run.train(resume_from_checkpoint=str(folder / f"checkpoint-{step}"))
    assert run.state.global_step == STEPS
    assert not changed(weights, tensors(model))


@pytest.mark.parametrize("whole", ["bert"], indirect=True)
def test_resume_with_restored_callbacks(
    whole: tuple[str, dict[str, torch.Tensor], Path], tmp_path: Path
) -> None:
    kind, weights, folder = whole
    model = MODELS[kind]()
    callback = FreezingCallback(SCALED)
    run = trainer(model, tmp_path, callback, restore_callback_states_from_checkpoint=True)
    run.train(resume_from_checkpoint=str(folder / "checkpoint-2"))
    assert callback not in run.callback_handler.callbacks
    assert not changed(weights, tensors(model))


def test_resume_with_another_schedule_shows_both(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"save_strategy": "steps", "save_steps": 3, "max_steps": 4}
    trainer(bert(), tmp_path, FreezingCallback(HALVES), **arguments).train()
    model, before = bert(), flags(bert())
    run = trainer(model, tmp_path, FreezingCallback(FreezingSchedule.full()), **arguments)
    with pytest.raises(ScheduleError) as caught:
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert "checkpoint of step 3" in caught.value.arrived and "'until_fraction': 0.5" in str(caught)
    assert "{'train': ['*'], 'rate': 1.0}" in caught.value.expected
    assert_untouched(model, before)


def test_resume_from_a_run_without_schedule(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}
    trainer(bert(), tmp_path, max_steps=2, **arguments).train()
    run = trainer(bert(), tmp_path, FreezingCallback(HALVES), max_steps=4, **arguments)
    with caplog.at_level(logging.WARNING):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert run.state.global_step == 4 and "made without a schedule" in caplog.text


def test_longer_run_on_resume_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments: dict[str, Any] = {"save_strategy": "steps", "save_steps": 2}
    trainer(bert(), tmp_path, FreezingCallback(HALVES), max_steps=2, **arguments).train()
    run = trainer(bert(), tmp_path, FreezingCallback(HALVES), max_steps=4, **arguments)
    with caplog.at_level(logging.WARNING):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert "belongs to a run of 2 steps and goes on in one of 4" in caplog.text


def test_resume_without_the_state_of_the_optimizer_is_refused(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"save_strategy": "steps", "save_steps": 3}
    saved = trainer(bert(), tmp_path, FreezingCallback(HALVES), save_only_model=True, **arguments)
    saved.train()
    run = trainer(bert(), tmp_path / "again", FreezingCallback(HALVES))
    with pytest.raises(ScheduleError, match="step 3 came without the state of the optimizer"):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
