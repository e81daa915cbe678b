"""The rate that reaches each weight, and the one that is logged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from transformers import TrainerCallback

from hf_transfer_plugin.adapt.rate_curves import curve_factor
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.tiny import bert, tensors, trainer

STEPS = 6
GROUPS = ("embeddings", "layer.0", "layer.1", "neck", "head")


class Updates(TrainerCallback):
    """Keeps what plain SGD would take from each weight at rate 1, and what was taken."""

    def __init__(self) -> None:
        self.bases: list[float] = []
        self.rates: list[dict[str, float]] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model = kwargs["model"]
        self.bases.append(float(kwargs["optimizer"].param_groups[0]["lr"]))
        self._before = tensors(model)
        self._gradients = {
            n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
        }

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        after, rates = tensors(kwargs["model"]), {}
        for group in layer_groups(kwargs["model"]):
            names = [n for n in group.parameter_names if n in self._gradients]
            gradient = torch.cat([self._gradients[n].flatten() for n in names]) if names else None
            if gradient is None:
                rates[group.name] = 0.0
                continue
            moved = torch.cat([(self._before[n] - after[n]).flatten() for n in names])
            rates[group.name] = float(moved @ gradient / (gradient @ gradient))
        self.rates.append(rates)


def step_lr(model: nn.Module) -> tuple[Any, Any]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return optimizer, StepLR(optimizer, 1, gamma=0.5)


# name -> (schedule, factor of a group at a step on the rate of the scheduler, or on the peak)
FACTORS: dict[str, tuple[FreezingSchedule, bool, Callable[[str, int], float]]] = {
    "phase": (
        FreezingSchedule.lp_ft(0.5, rate=0.25),
        False,
        lambda group, step: (group in ("neck", "head")) * 1.0 if step < 3 else 0.25,
    ),
    "decay": (
        FreezingSchedule.full(2.0).with_rates(decay=0.5),
        False,
        lambda group, step: (
            2.0 * 0.5 ** {"embeddings": 3, "layer.0": 2, "layer.1": 1}.get(group, 0)
        ),
    ),
    "rates": (
        FreezingSchedule.full().with_rates(rates={"layer.*": 0.1, "embeddings": 3.0}),
        False,
        lambda group, step: {"layer.0": 0.1, "layer.1": 0.1, "embeddings": 3.0}.get(group, 1.0),
    ),
    "curve": (
        FreezingSchedule.lp_ft(0.5).with_rates(curve="linear"),
        True,
        lambda group, step: (1 - step % 3 / 3) * float(step >= 3 or group in ("neck", "head")),
    ),
}
# name -> (arguments of Trainer, optimizer and scheduler of one's own)
SCHEDULERS: dict[str, tuple[dict[str, Any], Any]] = {
    "linear": ({}, None),
    "cosine": ({"lr_scheduler_type": "cosine"}, None),
    "plateau": (
        {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "steps", "eval_steps": 1},
        None,
    ),
    # Each rate follows from the one before: a factor left in the group would come in twice.
    "steps": ({}, step_lr),
}


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("name", FACTORS)
def test_rate_reaches_the_weights_and_the_log(name: str, kind: str, tmp_path: Path) -> None:
    schedule, of_peak, factor = FACTORS[name]
    arguments, own = SCHEDULERS[kind]
    plain = {"optim": "sgd", "weight_decay": 0.0, "learning_rate": 0.1, "max_steps": STEPS}
    model, spy = bert(), Updates()
    pair = own(model) if own else (None, None)
    run = trainer(
        model, tmp_path, FreezingCallback(schedule), spy, optimizers=pair, **(plain | arguments)
    )
    run.train()
    logged = [entry for entry in run.state.log_history if "loss" in entry]
    for step in range(STEPS):
        base = 0.1 if of_peak else spy.bases[step]
        expected = {group: base * factor(group, step) for group in GROUPS}
        assert spy.rates[step] == pytest.approx(expected, rel=2e-2)
        assert {g: logged[step][f"rate/{g}"] for g in GROUPS} == pytest.approx(expected)
        assert logged[step]["learning_rate"] == pytest.approx(max(expected.values()))
    assert len(run.optimizer.param_groups) == (1 if own else 2)


def test_tables_are_whole() -> None:
    assert len(FACTORS) * len(SCHEDULERS) == 16


@pytest.mark.parametrize(
    ("curve", "warmup", "expected"),
    [
        ("constant", 0.0, [1, 1, 1, 1]),
        ("linear", 0.0, [1, 0.75, 0.5, 0.25]),
        ("linear", 0.5, [1 / 3, 2 / 3, 1, 0.5]),
        ("cosine", 0.0, [1, 0.8535534, 0.5, 0.1464466]),
        # Howard & Ruder 2018 with a cut at half: 1/32 and half way up, then down from 1.
        ("slanted_triangular", 0.5, [1 / 32, 33 / 64, 1, 33 / 64]),
    ],
)
def test_curves(curve: str, warmup: float, expected: list[float]) -> None:
    assert [curve_factor(curve, warmup, step, 4) for step in range(4)] == pytest.approx(expected)


def test_reporters_see_phase_and_rates(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    class Reporter(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seen.append(dict(kwargs["logs"]))

    # Reporters stand before the callbacks of the user.
    run = trainer(
        bert(), tmp_path, Reporter(), FreezingCallback(FreezingSchedule.lp_ft(0.5)), max_steps=2
    )
    run.train()
    assert [entry["phase"] for entry in seen if "loss" in entry] == [0, 1]
    assert seen[0]["rate/embeddings"] == 0 and seen[1]["rate/embeddings"] > 0


def test_tensorboard_file_holds_the_rates(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = trainer(
        bert(),
        tmp_path,
        FreezingCallback(FreezingSchedule.lp_ft(0.5)),
        max_steps=4,
        report_to=["tensorboard"],
    )
    run.train()
    (file,) = tmp_path.rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    assert [event.value for event in events.Scalars("train/phase")][:4] == [0, 0, 1, 1]
    assert [e.value > 0 for e in events.Scalars("train/rate/embeddings")] == [
        False,
        False,
        True,
        True,
    ]
