"""What an alarm does to the run: stop, roll back, go on with the head alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.alarms import GOES_BACK
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
from hf_transfer_plugin.callbacks.negative_transfer_checks import check_action
from hf_transfer_plugin.callbacks.prefix_caching import prefix_cache
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.tiny import assert_untouched, bert, changed, flags, lora, masked_bert, resnet
from tests.callbacks.watched_runs import SCORED, Weights, build, kinds, learned

#: Best after step 2; below the bar from the middle of the run on.
SCORES = [0.5, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
SAVED: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}


def watching(action: Any, **arguments: Any) -> NegativeTransferCallback:
    """Return a watch whose alarm comes at step 4."""
    return NegativeTransferCallback(bar=0.9, patience=2, action=action, **arguments)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def test_stop(tmp_path: Path) -> None:
    watch, weights, model = watching("stop"), Weights(), learned(bert)
    run = build(tmp_path, watch, weights, model=model, scores=SCORES)
    run.train()
    assert kinds(watch) == [(4, "below_bar")] and watch.alarms[0].action == "stop"
    assert run.state.global_step == 4
    assert not changed(weights.after[4], state(model))


@pytest.mark.parametrize(
    ("make", "action"),
    [(bert, "rollback"), (resnet, "rollback"), (lora, "rollback"), (lora, "rescue")],
)
def test_rollback_gives_the_best_weights_bit_for_bit(
    make: Callable[[], nn.Module], action: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch, weights, model = watching(action), Weights(), learned(make)
    before = flags(model)
    run = build(tmp_path, watch, weights, model=model, scores=SCORES)
    run.train()
    assert run.state.global_step == 4 and kinds(watch) == [(4, "below_bar")]
    assert watch.handed_over == ("hf-tl rescue" in caplog.text) == (action == "rescue")
    assert not changed(weights.after[2], state(model))
    assert changed(weights.after[4], state(model))
    assert_untouched(model, before)


def test_rollback_before_any_evaluation_goes_to_the_first_weights(tmp_path: Path) -> None:
    class Poison(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 2:
                kwargs["model"].bert.pooler.dense.weight.data[0, 0] = float("nan")

    watch, model = watching("rollback"), bert()
    first = state(model)
    run = build(tmp_path, watch, Poison(), model=model, eval_strategy="no")
    run.train()
    assert kinds(watch) == [(3, "non_finite")] and run.state.global_step == 3
    assert not changed(first, state(model))


def test_a_collapse_is_never_the_best(tmp_path: Path) -> None:
    watch, model = NegativeTransferCallback(action="rollback", patience=2), bert()
    first = state(model)
    build(tmp_path, watch, model=model, learning_rate=0.5, eval_steps=2, max_steps=12).train()
    assert kinds(watch) == [(4, "collapse")]
    assert not changed(first, state(model))


@pytest.mark.parametrize("make", [bert, resnet, lora])
def test_refreeze_goes_back_and_trains_the_head_alone(
    make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    watch, weights, model = watching("refreeze"), Weights(), learned(make)
    before = flags(model)
    run = build(tmp_path, watch, weights, model=model, scores=SCORES)
    run.train()
    assert run.state.global_step == 8 and kinds(watch) == [(4, "below_bar")]
    for step in range(5, 9):
        moved = changed(weights.after[2], weights.after[step])
        assert moved and all("classifier" in name for name in moved)
    assert_untouched(model, before)
    # Momentum begins anew for the head, and there is none for the rest.
    named = {id(p): n for n, p in run.model.named_parameters()}
    made = {named[id(p)]: int(s["step"]) for p, s in run.optimizer.state.items() if s}
    assert set(made.values()) == {4} and all("classifier" in name for name in made)


def test_refreeze_holds_under_a_schedule_that_thaws(tmp_path: Path) -> None:
    for order in (False, True):
        watch, weights, model = watching("refreeze"), Weights(), learned(bert)
        freezing = FreezingCallback(FreezingSchedule.gradual_unfreezing(2))
        before = flags(model)
        callbacks = [freezing, watch, weights] if order else [watch, freezing, weights]
        run = build(tmp_path, *callbacks, model=model, scores=SCORES)
        run.train()
        assert len(freezing.transitions) > 2 and freezing.transitions[-1].step > 4
        for step in range(5, 9):
            moved = changed(weights.after[2], weights.after[step])
            assert moved and all("classifier" in name for name in moved)
        assert_untouched(model, before)


def test_refreeze_holds_batchnorm_under_a_schedule(tmp_path: Path) -> None:
    watch, weights, model = watching("refreeze"), Weights(), learned(resnet)
    before = flags(model)
    freezing = FreezingCallback(FreezingSchedule.gradual_unfreezing(2))
    build(tmp_path, watch, freezing, weights, model=model, scores=SCORES).train()
    moved = changed(weights.after[2], weights.after[8])
    assert moved and all("classifier" in name for name in moved)
    assert_untouched(model, before)


def test_a_step_alarm_refreezes_with_accumulation(tmp_path: Path) -> None:
    class Poison(TrainerCallback):
        def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step in (3, 4):
                kwargs["model"].classifier.weight.grad.fill_(float("inf"))

    watch, weights, model = watching("refreeze"), Weights(), learned(bert)
    arguments: dict[str, Any] = {"gradient_accumulation_steps": 2, "metric_for_best_model": "loss"}
    run = build(tmp_path, watch, weights, Poison(), model=model, **arguments)
    run.train()
    assert kinds(watch)[0] == (4, "non_finite") and run.state.global_step == 8
    assert [kind for _, kind in kinds(watch)].count("non_finite") == 1
    assert all(bool(tensor.isfinite().all()) for tensor in weights.after[8].values())
    moved = changed(weights.after[3], weights.after[8])
    assert moved and all("classifier" in name for name in moved)


@pytest.mark.parametrize("action", ["rollback", "refreeze"])
def test_the_best_checkpoint_has_the_last_word(action: Any, tmp_path: Path) -> None:
    watch, weights, model = watching(action), Weights(), learned(bert)
    arguments: dict[str, Any] = SAVED | {"load_best_model_at_end": True}
    run = build(tmp_path, watch, weights, model=model, scores=SCORES, **arguments)
    run.train()
    assert run.state.best_model_checkpoint.endswith("checkpoint-2")
    assert not changed(weights.after[2], state(model))


@pytest.mark.parametrize("action", ["warn", "rollback", "refreeze", "rescue"])
def test_a_resumed_run_raises_the_same_alarms(action: Any, tmp_path: Path) -> None:
    probe = {"sum": lambda model: float(model.classifier.weight.sum())}
    scores = [0.5, 0.7, 0.6, 0.95, 0.6, 0.6, 0.6, 0.6]
    watch, model = watching(action, probe_data=probe), learned(bert)
    whole = build(tmp_path, watch, model=model, scores=scores, **SAVED)
    whole.train()
    assert kinds(watch) == [(6, "below_bar")]
    last = whole.state.global_step
    assert last == (6 if action in ("rollback", "rescue") else 8)
    assert watch.handed_over == (action == "rescue")
    for step in range(1, last, 2):
        again, other = watching(action, probe_data=probe), learned(bert)
        run = build(tmp_path / "again", again, model=other, scores=scores)
        run.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
        assert again.alarms == watch.alarms, f"resumed at step {step}"
        assert again.handed_over == watch.handed_over
        assert not changed(state(model), state(other)), f"resumed at step {step}"
        assert _numbers(run) == _numbers(whole), f"resumed at step {step}"


def _numbers(run: Any) -> list[dict[str, float]]:
    history = [
        {key: value for key, value in entry.items() if key.startswith(("transfer/", "step"))}
        for entry in run.state.log_history
    ]
    return [entry for entry in history if len(entry) > 1]


def test_resume_with_restored_callbacks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    control = {1: 0.9, 8: 0.9}
    probe = {"one": lambda model: 1.0}
    first = NegativeTransferCallback(control, metric="score", patience=5, probe_data=probe)
    build(tmp_path, first, scores=SCORES, **SAVED).train()
    assert kinds(first) == [(8, "below_control")], "five in a row from half of the run on"
    again = NegativeTransferCallback()
    arguments: dict[str, Any] = {"restore_callback_states_from_checkpoint": True}
    run = build(tmp_path / "again", again, scores=SCORES, **arguments)
    run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    (restored,) = (
        c for c in run.callback_handler.callbacks if isinstance(c, NegativeTransferCallback)
    )
    assert restored is not again and restored.alarms == first.alarms
    assert "probe_data that are missing now: one" in caplog.text
    assert "drift is not followed" in caplog.text


def test_resume_from_a_run_without_a_watch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(tmp_path, scores=SCORES, **SAVED).train()
    watch = watching("warn")
    run = build(tmp_path / "again", watch, scores=SCORES, **SAVED)
    run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert "the checkpoint of step 4 was made without watch" in caplog.text
    assert kinds(watch) == [(6, "below_bar")] and run.state.global_step == 8


def test_with_the_prefix_cache(tmp_path: Path) -> None:
    watches = []
    for cached in (False, True):
        watch, model = NegativeTransferCallback(), bert()
        freezing = FreezingCallback(FreezingSchedule.linear_probe())
        run = build(tmp_path, watch, freezing, model=model, eval_steps=4, max_steps=24)
        handle = prefix_cache(run) if cached else None
        run.train()
        if handle is not None:
            assert handle.uses[-1].before
        watches.append((kinds(watch), _numbers(run)))
    (alarms, numbers), (with_cache, other_numbers) = watches
    assert alarms == with_cache and len(numbers) == len(other_numbers) == 6
    for one, other in zip(numbers, other_numbers, strict=True):
        assert one.keys() == other.keys() and "transfer/cka" in one
        assert one == pytest.approx(other, abs=1e-4)


def test_the_prefix_cache_serves_no_layers_that_were_rolled_back(tmp_path: Path) -> None:
    phases = [{"train": "*", "until_step": 3}, {"train": "head"}]
    finals = []
    for cached in (False, True):
        watch, weights, model = watching("refreeze"), Weights(), learned(bert)
        freezing = FreezingCallback(FreezingSchedule.from_phases(phases))
        scores = [*SCORES, *[0.6] * 24]
        arguments: dict[str, Any] = {"max_steps": 32, "scores": scores}
        run = build(tmp_path, watch, freezing, weights, model=model, **arguments)
        handle = prefix_cache(run) if cached else None
        run.train()
        assert kinds(watch)[0] == (4, "below_bar")
        if handle is not None:
            assert [use.step for use in handle.uses if use.before] == [3, 4]
        moved = changed(weights.after[2], weights.after[32])
        assert moved and all("classifier" in name for name in moved)
        finals.append(state(model))
    for name, tensor in finals[0].items():
        torch.testing.assert_close(tensor, finals[1][name], rtol=0, atol=1e-4)


def test_what_cannot_be_done_is_said_before_training(tmp_path: Path) -> None:
    model = masked_bert()
    model.cls.requires_grad_(False)
    with pytest.raises(ConfigError, match="has no head that trains"):
        build(tmp_path, watching("refreeze"), model=model).train()
    two = build(tmp_path, watching("warn"), watching("stop"))
    with pytest.raises(ConfigError, match="2 callbacks"):
        two.train()
    for action in GOES_BACK:
        with pytest.raises(ConfigError, match="dealt out among processes"):
            check_action(action, two.args, sharded=True)
    check_action("stop", two.args, sharded=True)


def test_tables_are_whole() -> None:
    assert len(SCORES) == 8 and SCORED["metric_for_best_model"] == "score"
