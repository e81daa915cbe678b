"""Freezing in an unmodified Trainer: what moves, what rests, and what a resumed run ends with."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.records import Phase
from tests.callbacks.tiny import (
    Recorder,
    assert_untouched,
    bert,
    changed,
    flags,
    freeze,
    group_tensors,
    masked_bert,
    resnet,
    tensors,
    trainer,
)

HALVES = FreezingSchedule.lp_ft(0.5)


def test_batchnorm_statistics_rest_only_while_pinned(tmp_path: Path) -> None:
    for mode, moves in (("eval", False), ("train", True)):
        model, recorder = resnet(), Recorder()
        callback = FreezingCallback(FreezingSchedule.linear_probe(), frozen_normalization=mode)  # type: ignore[arg-type]
        trainer(model, tmp_path, callback, recorder, max_steps=2).train()
        running = {name for name in set().union(*recorder.moved()) if "running_" in name}
        assert bool(running) is moves


def test_a_second_train_starts_the_schedule_again(tmp_path: Path) -> None:
    model, recorder = bert(), Recorder()
    run = trainer(model, tmp_path, FreezingCallback(HALVES), recorder, max_steps=2)
    run.train()
    recorder.history.clear()
    run.train()
    head = group_tensors(model)["head"] | group_tensors(model).get("neck", set())
    first, second = recorder.moved()
    assert first <= head and second - head
    run.evaluate()
    assert not any(module.training for module in model.modules())
    assert all(flags(model).values())


class Interrupt(TrainerCallback):
    """Fails once, at the beginning of the second step."""

    def __init__(self) -> None:
        self.armed = True

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.armed and state.global_step == 1:
            self.armed = False
            raise KeyboardInterrupt


def test_train_again_after_an_interruption(tmp_path: Path) -> None:
    model = bert()
    run = trainer(model, tmp_path, FreezingCallback(HALVES), Interrupt(), max_steps=4)
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert not all(flags(model).values())
    before = tensors(model)
    run.train()
    moved = changed(before, tensors(model))
    assert all(flags(model).values()) and moved & group_tensors(model)["embeddings"]


def test_log_says_phase_and_weights(tmp_path: Path) -> None:
    model = bert()
    run = trainer(model, tmp_path, FreezingCallback(HALVES), max_steps=2)
    run.train()
    counts = [sum(p.numel() for p in model.parameters())]
    owned = group_tensors(model)
    head = owned["head"] | owned.get("neck", set())
    counts.insert(0, sum(p.numel() for name, p in model.named_parameters() if name in head))
    logged = [entry for entry in run.state.log_history if "loss" in entry]
    assert [entry["phase"] for entry in logged] == [0, 1]
    assert [entry["trainable_parameters"] for entry in logged] == counts


def test_user_frozen_part_of_a_group_stays_frozen(tmp_path: Path) -> None:
    model, recorder = bert(), Recorder()
    freeze(model, "bert.embeddings.position_embeddings")
    before = flags(model)
    trainer(model, tmp_path, FreezingCallback(HALVES), recorder, max_steps=2).train()
    assert "bert.embeddings.position_embeddings.weight" not in set().union(*recorder.moved())
    assert_untouched(model, before)


def test_gradient_accumulation_and_evaluation(tmp_path: Path) -> None:
    model, recorder = resnet(), Recorder()
    arguments: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True}
    run = trainer(
        model,
        tmp_path,
        FreezingCallback(FreezingSchedule.linear_probe()),
        recorder,
        gradient_accumulation_steps=2,
        max_steps=3,
        **arguments,
    )
    run.train()
    assert set().union(*recorder.moved()) <= group_tensors(model)["head"]


def test_constructor_takes_phases_and_checks_its_arguments() -> None:
    callback = FreezingCallback([Phase(("head",), 0.5), {"train": ["*"]}])
    assert callback.schedule.boundaries(4) == ((0, 2), (2, 4))
    with pytest.raises(ScheduleError, match="before training began"):
        callback.state_at(0)
    with pytest.raises(ScheduleError, match="frozen_normalization is 'off'"):
        FreezingCallback(HALVES, frozen_normalization="off")  # type: ignore[arg-type]


def test_tied_weights_freeze_together(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, recorder = masked_bert(), Recorder()
    schedule = FreezingSchedule.lp_ft(0.5)
    with caplog.at_level(logging.WARNING):
        trainer(model, tmp_path, FreezingCallback(schedule), recorder, max_steps=4).train()
    word, tied = "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"
    for step, moved in enumerate(recorder.moved()):
        assert (word in moved) == (tied in moved) == (step >= 2)
        assert "cls.predictions.transform.dense.weight" in moved
    assert caplog.text.count(f'freezes layer group "embeddings", and with it {tied}') == 1
