"""Weights under PEFT adapters in the same schedule as the adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.errors import ScheduleError
from tests.callbacks.schedule_cases import PLATEAU
from tests.callbacks.tiny import Recorder, changed, lora, tensors, trainer

SCHEDULE = FreezingSchedule.adapters_first(0.5, "top:1", 0.25)
SAVED: dict[str, Any] = {"save_strategy": "steps", "save_steps": 2}
TOP = "encoder.layer.1."


def base_of(names: set[str]) -> set[str]:
    return {name for name in names if "lora_" not in name and "classifier" not in name}


def test_adapters_move_first_and_the_weights_under_them_later(tmp_path: Path) -> None:
    model, recorder = lora(), Recorder()
    run = trainer(model, tmp_path, FreezingCallback(SCHEDULE), recorder)
    run.train()
    first, later = recorder.moved()[:4], recorder.moved()[4:]
    assert not base_of(set().union(*first))
    assert all(any(TOP in name for name in base_of(moved)) for moved in later)
    assert not any("encoder.layer.0." in name for name in base_of(set().union(*later)))
    logged = [entry for entry in run.state.log_history if "loss" in entry]
    assert [entry["rate/base:layer.1"] > 0 for entry in logged] == [False] * 4 + [True] * 4
    assert logged[5]["rate/base:layer.1"] == pytest.approx(0.25 * logged[5]["rate/layer.1"])


def test_merged_model_has_both(tmp_path: Path) -> None:
    model = lora()
    trainer(model, tmp_path, FreezingCallback(SCHEDULE)).train()
    inputs = {"input_ids": torch.arange(1, 9)[None]}
    model.eval()
    expected = model(**inputs).logits
    merged = model.merge_and_unload()  # type: ignore[operator]
    merged.save_pretrained(tmp_path / "merged")
    again = type(merged).from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(again(**inputs).logits, expected)


def test_best_model_at_the_end_has_its_base_weights(tmp_path: Path) -> None:
    model, recorder = lora(), Recorder()
    arguments = SAVED | PLATEAU | {"eval_steps": 2, "load_best_model_at_end": True}
    run = trainer(model, tmp_path, FreezingCallback(SCHEDULE), recorder, max_steps=12, **arguments)
    run.train()
    best = run.state.best_global_step
    assert best and best < 12
    assert not changed(recorder.history[best], tensors(model))
    assert base_of(changed(recorder.history[-1], tensors(model)))


def test_without_whole_checkpoints_the_best_model_would_lack_them(tmp_path: Path) -> None:
    arguments = SAVED | PLATEAU | {"eval_steps": 2, "load_best_model_at_end": True}
    run = trainer(lora(), tmp_path, FreezingCallback(SCHEDULE), save_only_model=True, **arguments)
    with pytest.raises(ScheduleError, match="save_only_model leaves them out"):
        run.train()


def test_callback_that_came_too_late(tmp_path: Path) -> None:
    run = trainer(lora(), tmp_path)
    run.add_callback(FreezingCallback(SCHEDULE))
    with pytest.raises(ScheduleError, match="give the callback to Trainer"):
        run.train()


def test_weights_that_cannot_train(tmp_path: Path) -> None:
    model = lora()
    weight = model.get_submodule("base_model.model.bert.encoder.layer.1.output.dense")
    weight.weight = torch.nn.Parameter(weight.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(ScheduleError, match=r"stored as torch.int8 and cannot train"):
        trainer(model, tmp_path, FreezingCallback(SCHEDULE))


def test_resume_with_restored_callbacks(tmp_path: Path) -> None:
    model = lora()
    trainer(model, tmp_path, FreezingCallback(SCHEDULE), **SAVED).train()
    again, callback = lora(), FreezingCallback(SCHEDULE)
    restored = {"restore_callback_states_from_checkpoint": True}
    run = trainer(again, tmp_path / "again", callback, **restored)
    run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert callback not in run.callback_handler.callbacks
    assert not changed(tensors(model), tensors(again))
