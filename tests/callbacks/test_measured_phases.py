"""Phases that choose by lot or by what they measure, in a running Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.stepped_weights import torch_optimizer
from hf_transfer_plugin.layers import layer_groups
from tests.callbacks.tiny import bert, efficientnet, trainer


class Held(TrainerCallback):
    """Keeps what is trainable, which groups hold optimizer state, and norms, at each step."""

    def __init__(self) -> None:
        self.trainable: list[set[str]] = []
        self.states: list[set[str]] = []
        self.ratios: list[dict[str, float]] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model = kwargs["model"]
        named = dict(model.named_parameters())
        groups = layer_groups(model)
        self.trainable.append(
            {groups.of_parameter(n).name for n, p in named.items() if p.requires_grad}
        )
        ratios = {}
        for group in groups:
            held = [named[n] for n in group.parameter_names if named[n].grad is not None]
            if held:
                gradient = torch.cat([p.grad.flatten() for p in held]).norm()
                ratios[group.name] = float(gradient / torch.cat([p.flatten() for p in held]).norm())
        self.ratios.append(ratios)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        groups, inner = layer_groups(kwargs["model"]), torch_optimizer(kwargs["optimizer"])
        named = kwargs["model"].named_parameters()
        self.states.append({groups.of_parameter(n).name for n, p in named if p in inner.state})


def test_lisa_draws_anew_and_drops_optimizer_state(tmp_path: Path) -> None:
    model, held = efficientnet(), Held()
    schedule = FreezingSchedule.lisa(2, every=2, seed=3)
    callback = FreezingCallback(schedule)
    trainer(model, tmp_path, callback, held).train()
    blocks = {group.name for group in layer_groups(model) if group.is_block}
    drawn = [frozenset(names & blocks) for names in held.trainable]
    assert all(len(names) == 2 for names in drawn) and len(set(drawn)) > 2
    assert [drawn[step] == drawn[step + 1] for step in (0, 2, 4, 6)] == [True] * 4
    assert held.states == held.trainable
    told = callback.transitions
    assert [transition.step for transition in told] == [0, 2, 4, 6]
    assert [set(transition.factors) & blocks for transition in told] == drawn[::2]
    assert callback.group_names == layer_groups(model).names
    others = [FreezingSchedule.lisa(2, every=2, seed=seed) for seed in range(4)]
    groups = layer_groups(model)
    assert len({s.at(0, 8).drawn(groups) for s in others}) > 1


def test_auto_rgn_scales_each_rate_by_what_it_measures(tmp_path: Path) -> None:
    held, rate = Held(), 1e-2
    arguments: dict[str, Any] = {"lr_scheduler_type": "constant", "learning_rate": rate}
    run = trainer(
        bert(), tmp_path, FreezingCallback(FreezingSchedule.auto_rgn(every=2)), held, **arguments
    )
    run.train()
    logged = [entry for entry in run.state.log_history if "loss" in entry]
    for step, entry in enumerate(logged):
        ratios = held.ratios[step - step % 2]
        largest = max(ratios.values())
        found = {name: entry[f"rate/{name}"] for name in ratios}
        assert found == pytest.approx({n: rate * r / largest for n, r in ratios.items()}, rel=1e-4)
    assert len({entry["rate/embeddings"] for entry in logged}) == 4


def test_auto_freeze_freezes_from_the_input_up(tmp_path: Path) -> None:
    model, held = efficientnet(), Held()
    schedule = FreezingSchedule.auto_freeze(80.0, every=2)
    trainer(model, tmp_path, FreezingCallback(schedule), held).train()
    names = list(layer_groups(model).names)
    lowest = [min(map(names.index, trained)) for trained in held.trainable]
    assert lowest[:4] == [0] * 4 and lowest == sorted(lowest) and lowest[-1] > 0
    assert all(
        trained == set(names[low:]) for trained, low in zip(held.trainable, lowest, strict=True)
    )
    # What has settled for good holds no memory any more.
    assert held.states == held.trainable


def test_spectrum_trains_the_same_matrices_all_along(tmp_path: Path) -> None:
    model = bert()
    kept: list[set[str]] = []

    class Trained(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            kept.append({n for n, p in kwargs["model"].named_parameters() if p.requires_grad})

    trainer(model, tmp_path, FreezingCallback(FreezingSchedule.spectrum(0.5)), Trained()).train()
    assert len(kept) == 8 and all(names == kept[0] for names in kept)
    groups = layer_groups(model)
    assert {*groups["embeddings"].parameter_names, *groups["head"].parameter_names} <= kept[0]
    inner = {name for name in kept[0] if ".layer." in name}
    # One of the two matrices of each of the 6 kinds, with its bias.
    assert (
        len(inner) == 12
        and len({name.replace(".0.", ".*.").replace(".1.", ".*.") for name in inner}) == 12
    )


def test_state_of_what_is_frozen_for_good_is_released(tmp_path: Path) -> None:
    held = Held()
    phases = [
        {"train": "*", "until_step": 2},
        {"train": ["layer.1"], "until_step": 4},
        {"train": "top:1"},
    ]
    trainer(bert(), tmp_path, FreezingCallback(phases), held, max_steps=6).train()
    assert held.states[1] == {"embeddings", "layer.0", "layer.1", "neck", "head"}
    # The head comes back: it keeps its momentum. Embeddings and layer.0 do not.
    assert held.states[2] == held.states[5] == {"layer.1", "neck", "head"}
