"""Figures of phases against those worked out by hand for a BERT of two layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from torch import nn
from transformers import TrainerCallback, TrainingArguments

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, Phase, explain
from hf_transfer_plugin.step_work import count_work
from tests.callbacks.tiny import bert, flags, lora, trainer
from tests.layer_cases import CASES

# Width 16, 2 heads, 8 tokens. Weights: 832 embeddings, 1,696 a layer, 272 neck, 34 head.
EMBEDDINGS, LAYER, TOP, ALL = 832, 1696, 306, 4530
# Multiply-adds of a linear map of 16 by 16 on 8 tokens, and of the two products of attention.
MAP, ATTENTION = 8 * 16 * 16, 2 * 2 * 8 * 8 * 8
NECK, HEAD = 16 * 16, 16 * 2
FORWARD = 2 * (6 * MAP + ATTENTION) + NECK + HEAD
# Lowest trained layer: queries, keys and values need no gradient of their input.
LOWEST = 3 * MAP + 2 * ATTENTION + 2 * MAP + 2 * 2 * MAP
THROUGH = 6 * MAP + 2 * ATTENTION  # a frozen layer above a trained one
WORK = {
    "head": FORWARD + NECK + 2 * HEAD,
    "layer.1": FORWARD + LOWEST + NECK + HEAD,
    "layer.0": FORWARD + LOWEST + THROUGH + NECK + HEAD,
    "top 1": FORWARD + LOWEST + 2 * (NECK + HEAD),
    "full": 3 * FORWARD,
}
CHAIN = FreezingSchedule.chain_thaw(2)
LISA = FreezingSchedule.lisa(1, every=1)
LISA_THEN_ALL = FreezingSchedule(
    (Phase(("bottom:0", "top:0"), until_step=9, choose=LISA.phases[0].choose), Phase(("*",)))
)


def _arguments(**changed: Any) -> TrainingArguments:
    keys = {"max_steps": 12, "learning_rate": 1e-2, "use_cpu": True, **changed}
    return TrainingArguments(output_dir="unused", **keys)


@pytest.mark.parametrize("name", WORK)
def test_work_by_hand(name: str) -> None:
    assert len(WORK) == 5
    schedule = FreezingSchedule.gradual_unfreezing(1) if name == "top 1" else CHAIN
    told = explain(bert(), schedule, _arguments())
    (phase,) = (phase for phase in told.phases if phase.name == name)
    assert told.cost_unit == "multiply-adds"
    assert phase.relative_cost == pytest.approx(WORK[name] / WORK["full"], rel=1e-12)


def test_work_of_the_run_and_of_draws() -> None:
    told = explain(bert(), FreezingSchedule.lp_ft(0.25), _arguments())
    assert told.relative_cost == pytest.approx((3 * WORK["head"] / WORK["full"] + 9) / 12)
    # With the embeddings trained, a layer that is not drawn passes its gradients on.
    drawn = FORWARD + THROUGH + 2 * (6 * MAP + ATTENTION) + 2 * (NECK + HEAD)
    told = explain(bert(), LISA, _arguments())
    assert told.phases[0].relative_cost == pytest.approx(drawn / WORK["full"])


# name -> (schedule, weights that train in each phase, weights with optimizer state in each)
HELD: dict[str, tuple[FreezingSchedule, list[int], list[int]]] = {
    "kept for later": (CHAIN, [TOP, LAYER, LAYER, ALL], [TOP, TOP + LAYER, TOP + 2 * LAYER, ALL]),
    "released": (
        FreezingSchedule((Phase(("top:0",), until_step=4), Phase(("layer.1",)))),
        [TOP, LAYER],
        [TOP, LAYER],
    ),
    "less and less": (
        FreezingSchedule((Phase(("*",), until_step=4), Phase(("head",)))),
        [ALL, 34],
        [ALL, 34],
    ),
    "drawn": (LISA, [EMBEDDINGS + TOP + LAYER], [EMBEDDINGS + TOP + LAYER]),
    "drawn, then all": (
        LISA_THEN_ALL,
        [EMBEDDINGS + TOP + LAYER, ALL],
        [EMBEDDINGS + TOP + LAYER, ALL],
    ),
    # Half of the matrices of both layers with their biases, none of the 128 weights of norms.
    "best matrices": (
        FreezingSchedule.spectrum(0.5),
        [EMBEDDINGS + TOP + LAYER - 64],
        [EMBEDDINGS + TOP + LAYER - 64],
    ),
    "settled": (FreezingSchedule.auto_freeze(every=2), [ALL], [ALL]),
}


@pytest.mark.parametrize("name", HELD)
def test_weights_and_optimizer_memory_by_hand(name: str) -> None:
    assert len(HELD) == 7
    schedule, trained, held = HELD[name]
    phases = explain(bert(), schedule, _arguments()).phases
    assert [phase.trainable_parameters for phase in phases] == trained
    assert [phase.optimizer_mib * 2**20 for phase in phases] == pytest.approx(
        [8 * weights for weights in held]
    )


class _Memory(TrainerCallback):
    """Counts, at each step, weights that train and weights with optimizer state."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        held = sum(p.numel() for p in kwargs["optimizer"].state)
        trained = sum(p.numel() for p in kwargs["model"].parameters() if p.requires_grad)
        self.seen.append((trained, held))


@pytest.mark.parametrize("name", [name for name in HELD if name != "settled"])
def test_a_run_holds_what_was_explained(name: str, tmp_path: Path) -> None:
    schedule, memory = HELD[name][0], _Memory()
    told = explain(bert(), schedule, _arguments())
    trainer(bert(), tmp_path, FreezingCallback(schedule), memory, max_steps=12).train()
    for phase in told.phases:
        trained, held = zip(*memory.seen[phase.start : phase.end], strict=True)
        assert set(trained) == {phase.trainable_parameters}
        assert max(held) * 8 == pytest.approx(phase.optimizer_mib * 2**20)


def test_rates_of_each_group() -> None:
    schedule = FreezingSchedule.gradual_unfreezing(2).with_rates(
        decay=0.5, rates={"embeddings": 0.1}
    )
    last = explain(bert(), schedule, _arguments()).phases[-1]
    expected = {"head": 1e-2, "neck": 1e-2, "layer.1": 5e-3, "layer.0": 2.5e-3}
    assert last.rates == pytest.approx({**expected, "embeddings": 1.25e-4})
    assert (last.low_rate, last.peak_rate) == pytest.approx((1.25e-4, 1e-2))


def _best(patience: int, **latest: Any) -> FreezingSchedule:
    return FreezingSchedule(
        (Phase(("top:0",), name="head", until_plateau=patience, **latest), Phase(("*",)))
    )


# name -> (schedule, notes, groups that are uncertain in the first phase)
NOTES: dict[str, tuple[FreezingSchedule, list[str], int]] = {
    "known": (FreezingSchedule.lp_ft(), ["", ""], 0),
    "plateau": (
        _best(2),
        ["ends on a plateau of 2 evaluations, at the latest at step 12", "begins when head ends"],
        0,
    ),
    "plateau with an end": (
        _best(1, until_step=5),
        ["ends on a plateau of 1 evaluation, at the latest at step 5", "begins when head ends"],
        0,
    ),
    "random": (FreezingSchedule.lisa(1, every=3), ["1 of 2 layers, drawn anew every 3 steps"], 2),
    "matrices": (
        FreezingSchedule.spectrum(0.25),
        ["the best 25 % of the matrices of each kind: estimate"],
        2,
    ),
    "settled": (
        FreezingSchedule.auto_freeze(every=2),
        ["freezes from the input as gradients settle: upper bound"],
        4,
    ),
    "relative": (
        FreezingSchedule.auto_rgn(),
        ["rates by relative gradient norm: upper bound"],
        5,
    ),
}


@pytest.mark.parametrize("name", NOTES)
def test_notes(name: str) -> None:
    assert len(NOTES) == 7
    schedule, notes, uncertain = NOTES[name]
    told = explain(bert(), schedule, _arguments())
    assert [phase.note for phase in told.phases] == notes
    assert len(told.phases[0].uncertain) == uncertain
    waits = name.startswith("plateau")
    assert told.phases[0].ends_early is waits and told.phases[-1].starts_late is waits
    assert (told.relative_cost is None) is waits
    lines = str(told).splitlines()
    for phase in told.phases:
        assert (f"{phase.name}: {phase.note}" in lines) is bool(phase.note)


def test_the_model_is_left_as_it_is() -> None:
    model = lora()
    before = flags(model)
    weights = {name: p.clone() for name, p in model.named_parameters()}
    told = explain(model, FreezingSchedule.adapters_first(0.5), _arguments())
    assert flags(model) == before
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
    adapters, both = told.phases
    assert adapters.trainable_parameters == sum(
        p.numel() for p in model.parameters() if p.requires_grad
    )
    # PEFT keeps the classifier that it trains a copy of.
    idle = sum(p.numel() for n, p in model.named_parameters() if ".original_module." in n)
    assert both.trainable_parameters == told.parameters - idle and idle > 0
    assert both.low_rate == pytest.approx(1e-3) and "base:layer.0" in both.groups


def _language_model() -> nn.Module:
    return tf.GPT2ForSequenceClassification(
        tf.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, pad_token_id=0)
    )


@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2)), _language_model()]
)
def test_models_that_cannot_run_without_values_are_counted_in_weights(model: nn.Module) -> None:
    assert count_work(model) is None
    told = explain(model, FreezingSchedule.full(), _arguments())
    assert told.cost_unit == "weights" and told.phases[0].relative_cost == 1
    assert "counted in weights" in str(told)


@pytest.mark.parametrize("name", ["resnet", "efficientnet", "convnext", "mobilenet-v2", "bert-lm"])
def test_counted_work_is_that_of_autograd(name: str) -> None:
    """Compare with torch's own counter over a real backward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    case = CASES[name]
    model = case.build()
    batch = case.batch()
    tokens = batch["input_ids"].shape[1] if "input_ids" in batch else None
    images = batch["pixel_values"].shape[-1] if "pixel_values" in batch else None
    work = count_work(model, tokens, images)
    assert work is not None
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(**batch)
    rows = len(next(iter(batch.values())))
    counted = rows if tokens else 1  # texts are counted one at a time, images in pairs
    assert work.of([]) * 2 * counted == counter.get_total_flops()
