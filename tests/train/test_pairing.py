"""Transfer and control differ in their weights alone: the same seed shows both the same batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hf_transfer_plugin.records import Phase, Plan
from hf_transfer_plugin.train.training import Trained
from tests.callbacks.tiny import group_tensors
from tests.train.settings import Rows, Setting

Batches = list[list[tuple[Any, int]]]


def _batches(setting: Setting, plan: Plan, seed: int, rate: float | None = None) -> Batches:
    """Return the training batches in their order, each row as (token ids, label).

    They are seen where they are read, which the cache of frozen layers leaves out.
    """
    seen: Batches = []

    def see(rows: Rows) -> None:
        if len(rows) == plan.batch_size:  # validation and test come as one batch each
            seen.append([(tuple(row["input_ids"]), row["labels"]) for row in rows])

    setting.train(replace(plan, prefix_cache=False), seed, rate, see)
    return seen


def test_a_seed_decides_the_batches(texts: Setting) -> None:
    transfer = texts.plan()
    first = _batches(texts, transfer, 0)
    assert len(first) == 2 * 40 // 8
    epochs = [sorted(sum(first[:5], [])), sorted(sum(first[5:], []))]
    assert epochs[0] == epochs[1] and first[:5] != first[5:]
    others = {
        "from scratch": replace(transfer, name="from-scratch", weights="random"),
        "frozen probe": replace(transfer, schedule=(Phase(train=("head",)),)),
        "other rate": replace(transfer, training={**transfer.training, "learning_rate": 0.1}),
    }
    for name, plan in others.items():
        assert _batches(texts, plan, 0) == first, name
    assert _batches(texts, transfer, 0, rate=0.3) == first
    assert _batches(texts, transfer, 1) != first


def _weights(trained: Trained, folder: Path) -> dict[str, torch.Tensor]:
    trained.save(folder)
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("name", ["texts", "images"])
def test_the_same_seed_gives_the_same_model(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    setting: Setting = request.getfixturevalue(name)
    runs = [setting.train(setting.plan(), seed) for seed in (0, 0, 1)]
    weights = [_weights(run, tmp_path / str(number)) for number, run in enumerate(runs)]
    assert len(weights[0]) > 10
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key]), key
    assert runs[0].result.confidences == runs[1].result.confidences
    assert runs[0].result.curve == runs[1].result.curve
    assert runs[0].result.confidences != runs[2].result.confidences


@pytest.mark.parametrize("name", ["texts", "images"])
def test_frozen_groups_stay_bit_equal(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Neither weights nor the statistics of BatchNorm move below the top."""
    from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification

    setting: Setting = request.getfixturevalue(name)
    auto: Any = {
        "texts": AutoModelForSequenceClassification,
        "images": AutoModelForImageClassification,
    }[name]
    groups = group_tensors(auto.from_pretrained(setting.checkpoint))
    top = list(groups)[-2]
    plan = setting.plan(schedule=(Phase(train=("head", top)),))
    trained = setting.train(plan)
    after = _weights(trained, tmp_path)
    before = load_file(setting.checkpoint / "model.safetensors")
    assert set(before) == set(after)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    thawed = groups["head"] | groups[top]
    assert moved and moved <= thawed
    assert len(set(before) - thawed) > 5
    named = dict(auto.from_pretrained(setting.checkpoint).named_parameters())
    assert trained.trainable_parameters == sum(named[p].numel() for p in thawed if p in named)
    assert trained.parameters == sum(parameter.numel() for parameter in named.values())
