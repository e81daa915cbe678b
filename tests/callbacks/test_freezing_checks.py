"""What is refused before the first step, and leaves the model as it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers.training_args import ParallelMode

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.freezing_checks import check_distributed
from hf_transfer_plugin.callbacks.group_switch import GroupSwitch
from hf_transfer_plugin.callbacks.pinning import Pins
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
    "plateau without evaluation": (
        "bert",
        FreezingSchedule.lp_ft().with_plateau(1),
        "",
        None,
        {},
        ('phase 0 ("head") waits for a plateau', "nothing is evaluated"),
    ),
    "base weights without adapters": (
        "bert",
        FreezingSchedule.adapters_first(base="top:1"),
        "",
        None,
        {},
        ("trains base:top:1", "has no adapters"),
    ),
    "more random layers than there are": (
        "bert",
        FreezingSchedule.lisa(3, every=2),
        "",
        None,
        {},
        ('phase 0 ("LISA") draws 3 layers, and 2 are left',),
    ),
    "two rates for one layer group": (
        "bert",
        FreezingSchedule.full().with_rates(rates={"layer.*": 0.5, "layer.1": 0.1}),
        "",
        None,
        {},
        ('rates names layer group "layer.1" twice',),
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_refused_before_the_first_step(wrong: str, tmp_path: Path) -> None:
    kind, schedule, frozen, optimizers, arguments, parts = REFUSED[wrong]
    model, recorder = MODELS[kind](), Recorder()
    if frozen:
        freeze(model, frozen)
    before, weights = flags(model), tensors(model)
    pair = optimizers(model) if optimizers else (None, None)
    with pytest.raises(ScheduleError) as caught:
        run = trainer(
            model, tmp_path, FreezingCallback(schedule), recorder, optimizers=pair, **arguments
        )
        run.train()
    for part in parts:
        assert part in str(caught.value)
    assert not recorder.history and not changed(weights, tensors(model))
    assert_untouched(model, before)


def test_table_of_refusals_is_whole() -> None:
    assert len(REFUSED) == 9


def test_two_schedules_in_one_trainer(tmp_path: Path) -> None:
    run = trainer(bert(), tmp_path, FreezingCallback(LOW), FreezingCallback(LOW))
    with pytest.raises(ScheduleError, match="2 callbacks of the type FreezingCallback"):
        run.train()


# setting of DistributedDataParallel that forbids freezing -> what to do
DISTRIBUTED: dict[str, tuple[dict[str, Any], str]] = {
    "all gradients": ({"ddp_find_unused_parameters": False}, "set ddp_find_unused_parameters=True"),
    "static graph": ({"ddp_static_graph": True}, "remove ddp_static_graph"),
    "checkpointed": ({"activation_checkpointing": True}, "set ddp_find_unused_parameters=True"),
}


@pytest.mark.parametrize("setting", DISTRIBUTED)
def test_distributed_settings_that_forbid_freezing(setting: str) -> None:
    given, action = DISTRIBUTED[setting]
    names = ("ddp_find_unused_parameters", "ddp_static_graph", "activation_checkpointing")
    args: Any = SimpleNamespace(
        parallel_mode=ParallelMode.DISTRIBUTED, **(dict.fromkeys(names) | given)
    )
    switch = GroupSwitch(bert(), Pins("eval", False))
    with pytest.raises(ScheduleError, match=action):
        check_distributed(LOW.states(4), switch, args)
    check_distributed(FreezingSchedule.full().states(4), switch, args)
    with pytest.raises(ScheduleError, match=action):
        check_distributed(FreezingSchedule.auto_freeze(every=2).states(4), switch, args)


def test_a_frozen_group_keeps_no_gradient() -> None:
    model = bert()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    switch = GroupSwitch(model, Pins("eval", False))
    assert switch.apply(["head"]) == sum(p.numel() for p in model.classifier.parameters())  # type: ignore[union-attr]
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {"classifier.weight", "classifier.bias"}
    switch.restore()
    assert all(flags(model).values())
