"""Each finding on a case that has it, and none where there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from transformers import TrainingArguments

from hf_transfer_plugin import FreezingSchedule, Phase
from hf_transfer_plugin.compatibility import findings
from hf_transfer_plugin.run_settings import RunSettings, scheduler_factors
from tests.callbacks.tiny import bert, flags, lora, masked_bert, resnet

STEPS = 40
PROBE = FreezingSchedule.lp_ft(0.5)
WAITS = FreezingSchedule.chain_thaw(2).with_plateau(1)
LATE = FreezingSchedule((Phase(("top:0",), until_step=38), Phase(("*",), name="all")))
LISA = FreezingSchedule.lisa(1, every=10)


def _frozen() -> nn.Module:
    model = bert()
    model.requires_grad_(False)
    return model


# name -> (model, schedule, training, settings of the callback, what one finding says)
Case = tuple[Callable[[], nn.Module], FreezingSchedule, dict[str, Any], dict[str, Any], str]
CASES: dict[str, Case] = {
    "no match": (
        bert,
        FreezingSchedule((Phase(("layr.*",)),)),
        {},
        {},
        "stops the run: no layer group matches 'layr.*'",
    ),
    "no adapters": (
        bert,
        FreezingSchedule.adapters_first(),
        {},
        {},
        "stops the run: the schedule trains base:*",
    ),
    "frozen by hand": (
        _frozen,
        FreezingSchedule.linear_probe(),
        {},
        {},
        "were frozen before training began",
    ),
    "tied": (
        masked_bert,
        FreezingSchedule((Phase(("layer.*",)),)),
        {},
        {},
        'tied weights: phase 0 ("layer.*") freezes embeddings, and with it cls.predictions',
    ),
    "no evaluation": (
        bert,
        WAITS,
        {"eval_strategy": "no"},
        {},
        'stops the run: phase 0 ("head") waits for a plateau',
    ),
    "never reached": (
        bert,
        WAITS,
        {},
        {},
        'may never be reached: phase 1 ("layer.0") and what follows',
    ),
    "DDP": (
        bert,
        PROBE,
        {"ddp_find_unused_parameters": False},
        {},
        "set ddp_find_unused_parameters=True",
    ),
    "DDP with checkpointing": (
        bert,
        PROBE,
        {"activation_checkpointing": True},
        {},
        "as activation_checkpointing is on",
    ),
    "DDP with a static graph": (bert, PROBE, {"ddp_static_graph": True}, {}, "ddp_static_graph"),
    "reentrant checkpointing": (
        bert,
        PROBE,
        {
            "activation_checkpointing": True,
            "activation_checkpointing_kwargs": {"use_reentrant": True},
            "ddp_find_unused_parameters": True,
        },
        {},
        "use_reentrant=True runs frozen layers twice",
    ),
    "BatchNorm in eval": (
        resnet,
        PROBE,
        {},
        {},
        "(6 of them) normalises by its running statistics, which rest",
    ),
    "BatchNorm kept": (
        resnet,
        PROBE,
        {},
        {"frozen_normalization": "keep"},
        "normalises by the batch, and its running statistics rest",
    ),
    "BatchNorm that trains": (
        resnet,
        PROBE,
        {},
        {"frozen_normalization": "train"},
        "normalises by the batch and moves its running statistics",
    ),
    "dropout": (bert, PROBE, {}, {}, "dropout is off in frozen layers (7 modules)"),
    # Three in each layer.
    "dropout of drawn layers": (bert, LISA, {}, {}, "dropout is off in frozen layers (6 modules)"),
    "tiny rate": (
        bert,
        LATE,
        {},
        {},
        'phase 1 ("all") trains at no more than 5.0% of the peak rate',
    ),
    "warm-up": (bert, PROBE, {"warmup_steps": 0.1}, {}, "warm-up of 4 steps is over before"),
    "adapters": (
        lora,
        FreezingSchedule.full(),
        {},
        {},
        "adapters: embeddings, neck hold none",
    ),
    "compiled": (bert, PROBE, {"torch_compile": True}, {}, "compiles anew at 1 transition"),
    "compiled draws": (bert, LISA, {"torch_compile": True}, {}, "compiles anew at 3 transitions"),
}

# name -> what must not be there: (model, schedule, training, settings of the callback)
QUIET: dict[str, tuple[Callable[[], nn.Module], FreezingSchedule, dict[str, Any], dict[str, Any]]]
QUIET = {
    "full": (bert, FreezingSchedule.full(), {"torch_compile": True, "warmup_steps": 3}, {}),
    "dropout left on": (bert, PROBE, {}, {"frozen_dropout": True}),
    "a rate of its own": (
        bert,
        LATE.with_rates(curve="linear", warmup=0.1),
        {"warmup_steps": 3},
        {"frozen_dropout": True},
    ),
    "long warm-up": (bert, PROBE, {"warmup_steps": 21}, {"frozen_dropout": True}),
    "tied and trained": (masked_bert, FreezingSchedule.full(), {}, {}),
    "relative gradients": (bert, FreezingSchedule.auto_rgn(), {}, {}),
    "a latest end": (
        bert,
        FreezingSchedule((Phase(("top:0",), until_step=9, until_plateau=1), Phase(("*",)))),
        {},
        {"frozen_dropout": True},
    ),
}


def _found(case: tuple[Any, ...], *, distributed: bool) -> tuple[str, ...]:
    build, schedule, training, settings = case[:4]
    read = replace(RunSettings.read(training), distributed=distributed)
    model = build()
    before = flags(model)
    found = findings(model, schedule, read, STEPS, **settings)
    assert flags(model) == before
    return found


@pytest.mark.parametrize("name", CASES)
def test_each_finding(name: str) -> None:
    assert len(CASES) == 20
    found = _found(CASES[name], distributed=name.startswith("DDP"))
    assert sum(CASES[name][4] in each for each in found) == 1, found
    assert len(set(found)) == len(found) and all("\n" not in each for each in found)


@pytest.mark.parametrize("name", QUIET)
def test_nothing_to_find(name: str) -> None:
    assert len(QUIET) == 7
    assert _found(QUIET[name], distributed=False) == ()


def test_distributed_runs_without_such_settings() -> None:
    assert _found((bert, PROBE, {}, {"frozen_dropout": True}), distributed=True) == ()


def test_arguments_of_a_trainer_and_of_a_plan_read_the_same(tmp_path: Path) -> None:
    training = {"learning_rate": 1e-3, "warmup_steps": 0.1, "lr_scheduler_type": "cosine"}
    args = TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, eval_strategy="epoch", **training
    )
    assert RunSettings.read(args) == RunSettings.read(training)


# scheduler -> factors at steps 0, 2, 4 and 22 of 40, with 4 steps of warm-up
FACTORS: dict[str, list[float] | None] = {
    "linear": [0, 0.5, 1, 0.5],
    "cosine": [0, 0.5, 1, 0.5],
    "constant": [1, 1, 1, 1],
    "constant_with_warmup": [0, 0.5, 1, 1],
    "reduce_lr_on_plateau": None,
    "unheard of": None,
}


@pytest.mark.parametrize("name", FACTORS)
def test_factors_of_schedulers(name: str) -> None:
    assert len(FACTORS) == 6
    settings = RunSettings.read({"lr_scheduler_type": name, "warmup_steps": 4})
    found = scheduler_factors(settings, STEPS, (0, 2, 4, 22))
    expected = FACTORS[name]
    assert found is None if expected is None else found == pytest.approx(expected)
