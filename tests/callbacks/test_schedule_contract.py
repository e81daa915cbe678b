"""Each schedule with each kind of model: what moves, what rests, and what a resumed run gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from hf_transfer_plugin.adapt.named_schedules import NAMES
from hf_transfer_plugin.adapt.schedule_state import BASE
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.schedule_cases import CASES, MODELS, SCHEDULES
from tests.callbacks.tiny import (
    STEPS,
    changed,
    flags,
    group_tensors,
    tensors,
    trainer,
)

SAVED = 3


class Steps(TrainerCallback):
    """Keeps what each step moved and what was trainable in it."""

    def __init__(self) -> None:
        self.moved: list[set[str]] = []
        self.trainable: list[set[str]] = []
        self.live: list[set[str]] = []
        self._before: dict[str, torch.Tensor] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._before = tensors(kwargs["model"])

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = dict(kwargs["model"].named_parameters())
        self.trainable.append({name for name, p in named.items() if p.requires_grad})
        self.live.append({n for n, p in named.items() if p.grad is not None and p.grad.any()})
        assert all(p.grad is None for p in named.values() if not p.requires_grad)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.moved.append(changed(self._before, tensors(kwargs["model"])))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_schedule(kind: str, name: str, tmp_path: Path) -> None:
    case, model = SCHEDULES[name], MODELS[kind]()
    before = flags(model)
    callback, steps = FreezingCallback(case.schedule(model)), Steps()
    arguments = {"save_strategy": "steps", "save_steps": SAVED, **case.arguments}
    run = trainer(model, tmp_path, callback, steps, **arguments)
    run.train()

    groups, owned = layer_groups(model), group_tensors(model)
    assert len(steps.moved) == STEPS
    for step, (moved, trainable) in enumerate(zip(steps.moved, steps.trainable, strict=True)):
        state = callback.state_at(step)
        selected = {group.removeprefix(BASE) for group in state.resolve(groups)}
        resting = set().union(*(owned[group] for group in owned if group not in selected))
        assert not moved & resting, f"should rest at step {step}"
        assert not moved & (set(before) - trainable), f"is frozen and moved at step {step}"
        assert steps.live[step] and steps.live[step] <= moved, f"should move at step {step}"
        if state.settings.choose is None and name != "adapters_first":
            # Nothing but what PEFT had frozen is missing.
            assert trainable == {n for group in selected for n in owned[group] if before.get(n)}
    thawed = {n for n, trains in flags(model).items() if trains and not before[n]}
    assert bool(thawed) is (name == "adapters_first")
    assert not any("train" in vars(module) for module in model.modules())

    for checkpoint in (SAVED, 2 * SAVED):
        again = MODELS[kind]()
        resumed = trainer(
            again, tmp_path / "again", FreezingCallback(case.schedule(again)), **case.arguments
        )
        resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{checkpoint}"))
        assert resumed.state.global_step == STEPS
        assert not changed(tensors(model), tensors(again)), f"resumed at step {checkpoint}"


def test_table_of_cases_is_whole() -> None:
    assert set(NAMES) <= set(SCHEDULES)
    assert len(CASES) == 19 * len(MODELS) + 1 == 96
