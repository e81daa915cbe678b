"""Freezing beside the other features of Trainer: each works, and gives what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.schedule_cases import PLATEAU
from tests.callbacks.tiny import (
    CHECKPOINTING,
    Recorder,
    assert_untouched,
    bert,
    bert_config,
    changed,
    examples,
    flags,
    group_tensors,
    lora,
    resnet,
    tensors,
    trainer,
    vit,
)

HALVES = FreezingSchedule.lp_ft(0.5, rate=0.5)
STILL = ("embeddings", "layer.0", "layer.1")


def still(model: nn.Module) -> set[str]:
    owned = group_tensors(model)
    return set().union(*(owned[name] for name in STILL))


# feature -> arguments of TrainingArguments
FEATURES: dict[str, dict[str, Any]] = {
    "gradient accumulation": {"gradient_accumulation_steps": 2},
    "clipped gradients": {"max_grad_norm": 1e-3},
    "clipping off": {"max_grad_norm": 0.0},
    "bfloat16": {"bf16": True},
    "activation checkpointing": {CHECKPOINTING: True},
    "reentrant checkpointing": {
        CHECKPOINTING: True,
        f"{CHECKPOINTING}_kwargs": {"use_reentrant": True},
    },
    "compiled": {"torch_compile": True, "torch_compile_backend": "aot_eager"},
    "sgd": {"optim": "sgd"},
    "adafactor": {"optim": "adafactor"},
    "fused adamw": {"optim": "adamw_torch_fused"},
    "neftune": {"neftune_noise_alpha": 5.0},
    "label smoothing": {"label_smoothing_factor": 0.1},
    "full determinism off, seed": {"seed": 7},
    "average tokens": {"average_tokens_across_devices": False},
}


@pytest.mark.parametrize("feature", FEATURES)
def test_phases_hold_and_a_resumed_run_is_exact(feature: str, tmp_path: Path) -> None:
    model, recorder = bert(), Recorder()
    before, saved = flags(model), {"save_strategy": "steps", "save_steps": 3}
    run = trainer(model, tmp_path, FreezingCallback(HALVES), recorder, **saved, **FEATURES[feature])
    run.train()
    assert len(recorder.moved()) == 8
    for step, moved in enumerate(recorder.moved()):
        assert moved, f"nothing moved at step {step}"
        assert bool(moved & still(model)) is (step >= 4)
    assert all(recorder.moved()[5] & group_tensors(model)[name] for name in STILL)
    assert_untouched(model, before)
    again = bert()
    resumed = trainer(again, tmp_path / "again", FreezingCallback(HALVES), **FEATURES[feature])
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert not changed(tensors(model), tensors(again))


def test_table_of_features_is_whole() -> None:
    assert len(FEATURES) == 14


class Forwards(TrainerCallback):
    """Counts how often the first layer runs in each step."""

    def __init__(self, layer: nn.Module) -> None:
        self.counts: list[int] = []
        self._count = 0
        layer.register_forward_pre_hook(self._add)

    def _add(self, *_: Any) -> None:
        self._count += 1

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.counts.append(self._count)
        self._count = 0


@pytest.mark.parametrize("kind", ["bert", "lora"])
def test_checkpointed_frozen_layers_run_once(kind: str, tmp_path: Path) -> None:
    model = {"bert": bert, "lora": lora}[kind]()
    first = next(
        m for n, m in model.named_modules() if n.endswith("encoder.layer.0.attention.self")
    )
    spy = Forwards(first)
    run = trainer(model, tmp_path, FreezingCallback(HALVES), spy, **{CHECKPOINTING: True})
    run.train()
    assert spy.counts == [1] * 4 + [2] * 4
    hooked = [m for m in model.modules() if getattr(m, "_require_grads_hooks", None)]
    assert hooked, "what transformers asks for must be back after training"


def test_best_model_at_the_end(tmp_path: Path) -> None:
    for build in (bert, vit, resnet):
        model, recorder, folder = build(), Recorder(), tmp_path / build.__name__
        # The loss falls and larger counts as better: the first evaluation stays the best.
        arguments = PLATEAU | {"save_strategy": "steps", "save_steps": 1}
        run = trainer(
            model,
            folder,
            FreezingCallback(HALVES),
            recorder,
            load_best_model_at_end=True,
            **arguments,
        )
        run.train()
        best = run.state.best_global_step
        assert best and best < 8 and changed(recorder.history[-1], recorder.history[best])
        assert not changed(recorder.history[best], tensors(model)), build.__name__
        assert all(flags(model).values())


def test_early_stopping_in_the_middle_of_a_phase(tmp_path: Path) -> None:
    model = bert()
    arguments = PLATEAU | {"save_strategy": "steps", "save_steps": 1}
    stop = EarlyStoppingCallback(early_stopping_patience=2)
    run = trainer(
        model, tmp_path, FreezingCallback(HALVES), stop, load_best_model_at_end=True, **arguments
    )
    run.train()
    assert run.state.global_step < 4
    assert_untouched(model, flags(bert()))


class OutOfMemory(TrainerCallback):
    """Fails as CUDA does, once, at the beginning of a step."""

    def __init__(self, step: int) -> None:
        self._step, self.batches = step, [0]

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self._step:
            self._step = -1
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        self.batches.append(state.train_batch_size)


@pytest.mark.parametrize("step", [0, 5])
def test_smaller_batches_after_running_out_of_memory(step: int, tmp_path: Path) -> None:
    model, recorder, full = bert(), Recorder(), OutOfMemory(step)
    run = trainer(
        model, tmp_path, FreezingCallback(HALVES), full, recorder, auto_find_batch_size=True
    )
    run.train()
    assert run.state.global_step == 8 and full.batches[-1] < 4
    moved = recorder.moved()[-8:]
    assert [bool(names & still(model)) for names in moved] == [False] * 4 + [True] * 4
    assert_untouched(model, flags(bert()))


def test_hyperparameter_search(tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    seen: list[list[int]] = []

    class Phases(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seen.append([])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            named = dict(kwargs["model"].named_parameters())
            seen[-1].append(sum(p.requires_grad for p in named.values()))

    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=4, use_cpu=True, disable_tqdm=True, report_to=[],
        eval_strategy="steps", eval_steps=4, save_strategy="no",
    )  # fmt: skip
    data = examples(bert())
    run = Trainer(
        args=arguments,
        model_init=lambda trial=None: BertForSequenceClassification(bert_config()),
        train_dataset=data,
        eval_dataset=data,
        callbacks=[FreezingCallback(HALVES), Phases()],
    )
    best = run.hyperparameter_search(
        backend="optuna",
        n_trials=3,
        direction="minimize",
        hp_space=lambda trial: {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2)},
    )
    assert best.run_id in {"0", "1", "2"}
    every = len(list(bert().parameters()))
    # Pooler and classifier have two tensors each.
    assert seen == [[4, 4, every, every]] * 3


def test_base_weights_and_a_model_that_comes_later_are_refused(tmp_path: Path) -> None:
    schedule = FreezingSchedule.adapters_first(0.5, "top:1")
    data = examples(bert())
    arguments = TrainingArguments(output_dir=str(tmp_path), max_steps=4, use_cpu=True, report_to=[])
    run = Trainer(
        args=arguments, model_init=lora, train_dataset=data, callbacks=[FreezingCallback(schedule)]
    )
    with pytest.raises(ScheduleError, match="none were thawed before the optimizer"):
        run.train()


def test_normalization_of_frozen_layers(tmp_path: Path) -> None:
    """Each choice is checked against a forward pass of the batch itself."""
    for choice, by_batch, moves in (
        ("eval", False, False),
        ("keep", True, False),
        ("train", True, True),
    ):
        model, seen = resnet(), []
        norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
        before = tensors(norm)
        handle = norm.register_forward_hook(
            lambda m, x, y, seen=seen: seen.append((x[0].detach(), y.detach()))
        )
        callback = FreezingCallback(FreezingSchedule.linear_probe(), frozen_normalization=choice)
        trainer(model, tmp_path, callback, max_steps=2, gradient_accumulation_steps=2).train()
        handle.remove()
        x, y = seen[-1]
        plain = nn.functional.batch_norm(
            x, None if by_batch else norm.running_mean, None if by_batch else norm.running_var,
            norm.weight, norm.bias, training=by_batch, eps=norm.eps,
        )  # fmt: skip
        torch.testing.assert_close(y, plain, msg=choice)
        assert bool(changed(before, tensors(norm))) is moves, choice
        assert norm.momentum == 0.1 and norm.training


def test_dropout_of_frozen_layers(tmp_path: Path) -> None:
    for choice in (False, True):
        model, active = bert(), []
        dropout = model.get_submodule("bert.embeddings.dropout")
        dropout.register_forward_hook(
            lambda m, x, y, active=active: active.append(bool((y == 0).any()))
        )
        callback = FreezingCallback(FreezingSchedule.linear_probe(), frozen_dropout=choice)
        trainer(model, tmp_path, callback, max_steps=4).train()
        assert any(active) is choice


def test_weights_that_the_loss_does_not_reach(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = bert()
    model.register_module("unused", nn.Linear(2, 2))
    groups = layer_groups(model)
    name = groups.of_parameter("unused.weight").name
    members = {n for n in groups[name].parameter_names if not n.startswith("unused")}
    for parameter, value in model.named_parameters():
        value.requires_grad_(parameter not in members)
    trainer(model, tmp_path, FreezingCallback(FreezingSchedule.full()), max_steps=1).train()
    assert f'layer group "{name}", but the loss does not depend on it' in caplog.text
