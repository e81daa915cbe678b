"""What is refused before the first step, and leaves the model as it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from transformers.training_args import ParallelMode

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.freezing_checks import check_distributed
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.errors import ScheduleError
from hf_transfer_plugin.records import Phase
from tests.callbacks.tiny import (
    MODELS,
    Recorder,
    assert_untouched,
    bert,
    changed,
    flags,
    freeze,
    tensors,
    trainer,
)


def step_lr(model: nn.Module) -> tuple[Any, Any]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return optimizer, StepLR(optimizer, 1)


def half_optimizer(model: nn.Module) -> tuple[Any, Any]:
    return torch.optim.SGD(model.classifier.parameters(), lr=0.1), None  # type: ignore[union-attr]


LOW = FreezingSchedule.lp_ft(0.5, rate=0.5)
TYPO = FreezingSchedule.from_phases([Phase(("head",), 0.5), Phase(("layr.0",))])

# what is wrong -> (model, schedule, module frozen by the user, optimizers, arguments, error's text)
REFUSED: dict[str, tuple[str, FreezingSchedule, str, Any, dict[str, Any], tuple[str, ...]]] = {
    "selector of a later phase": ("bert", TYPO, "", None, {}, ("layr.0", "layer.0")),
    "frozen by the user": (
        "bert",
        FreezingSchedule.lp_ft(),
        "bert.encoder.layer.0",
        None,
        {},
        ('phase 1 ("full") trains layer group "layer.0"', "frozen before training began"),
    ),
    "frozen by PEFT": (
        "lora",
        FreezingSchedule.surgical("embeddings"),
        "",
        None,
        {},
        ('phase 0 ("surgical") trains layer group "embeddings"', "frozen before training"),
    ),
    "not in the optimizer": (
        "bert",
        FreezingSchedule.lp_ft(),
        "",
        half_optimizer,
        {},
        ('trains layer group "', "the optimizer does not hold"),
    ),
    "more phases than steps": (
        "bert",
        FreezingSchedule.chain_thaw(2),
        "",
        None,
        {"max_steps": 3},
        ("would get no step",),
    ),
    "plateau": (
        "bert",
        LOW,
        "",
        None,
        {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "steps", "eval_steps": 1},
        ("phase 1 has rate = 0.5", "ReduceLROnPlateau", 'lr_scheduler_type="linear"'),
    ),
    "scheduler that multiplies": ("bert", LOW, "", step_lr, {}, ("StepLR", "leave every rate")),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_refused_before_the_first_step(wrong: str, tmp_path: Path) -> None:
    kind, schedule, frozen, optimizers, arguments, parts = REFUSED[wrong]
    model, recorder = MODELS[kind](), Recorder()
    if frozen:
        freeze(model, frozen)
    before, weights = flags(model), tensors(model)
    pair = optimizers(model) if optimizers else (None, None)
    run = trainer(
        model, tmp_path, FreezingCallback(schedule), recorder, optimizers=pair, **arguments
    )
    with pytest.raises(ScheduleError) as caught:
        run.train()
    for part in parts:
        assert part in str(caught.value)
    assert not recorder.history and not changed(weights, tensors(model))
    assert_untouched(model, before)


def test_table_of_refusals_is_whole() -> None:
    assert len(REFUSED) == 7


def test_two_schedules_in_one_trainer(tmp_path: Path) -> None:
    run = trainer(bert(), tmp_path, FreezingCallback(LOW), FreezingCallback(LOW))
    with pytest.raises(ScheduleError, match="2 callbacks of the type FreezingCallback"):
        run.train()


@pytest.mark.parametrize(
    ("argument", "value"), [("ddp_find_unused_parameters", False), ("ddp_static_graph", True)]
)
def test_distributed_settings_that_forbid_freezing(argument: str, value: bool) -> None:
    given = {"ddp_find_unused_parameters": None, "ddp_static_graph": None, argument: value}
    args: Any = SimpleNamespace(parallel_mode=ParallelMode.DISTRIBUTED, **given)
    switch = GroupSwitch(bert(), pin=True)
    with pytest.raises(ScheduleError, match=f"remove {argument}"):
        check_distributed(LOW, 4, switch, args)
    check_distributed(FreezingSchedule.full(), 4, switch, args)


def test_a_frozen_group_keeps_no_gradient() -> None:
    model = bert()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    switch = GroupSwitch(model, pin=True)
    assert switch.apply(["head"]) == sum(p.numel() for p in model.classifier.parameters())  # type: ignore[union-attr]
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {"classifier.weight", "classifier.bias"}
    switch.restore()
    assert all(flags(model).values())
