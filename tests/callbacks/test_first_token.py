"""A Trainer that computes the first token alone ends where one ends that computes all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import BertForSequenceClassification, Trainer, TrainerCallback

from hf_transfer_plugin import (
    FreezingCallback,
    FreezingSchedule,
    ObjectiveCallback,
    first_token_alone,
    prefix_cache,
)
from tests.callbacks.tiny import bert, bert_config, changed, lora, resnet, tensors, trainer, vit

TOKENS = 8


class Seen(TrainerCallback):
    """Counts the tokens that the feed-forward layer of BERT's last block is given in training."""

    def __init__(self, model: Any) -> None:
        self.tokens: set[int] = set()
        bert = next(each for each in model.modules() if hasattr(each, "encoder"))
        part = bert.encoder.layer[-1].intermediate
        forward = part.forward

        def counted(states: torch.Tensor) -> torch.Tensor:
            if self.on:
                self.tokens.add(states.shape[1])
            return forward(states)

        self.on = False
        part.forward = counted

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.on = True

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.on = False


def _hooks_of_this_package(model: nn.Module) -> list[Any]:
    return [
        hook
        for module in model.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if hook.__module__.startswith("hf_transfer_plugin")
    ]


class OwnLoss(Trainer):
    def compute_loss(self, *given: Any, **named: Any) -> Any:
        return super().compute_loss(*given, **named)


def _still(model: nn.Module) -> nn.Module:
    """Turn dropout off, whose draws have the shape of what is computed."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    return model


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("make", [bert, lora])
def test_same_weights(make: Any, cached: bool, tmp_path: Path) -> None:
    ends, tokens = [], []
    for alone in (False, True):
        model = _still(make())
        seen = Seen(model)
        layers = FreezingSchedule.top_layers(1)
        made = trainer(model, tmp_path, FreezingCallback(layers), seen, max_steps=20)
        if cached:
            cache = prefix_cache(made, folder=tmp_path / "cache")
        if alone:
            handle = first_token_alone(made)
        made.train()
        if cached:
            assert cache.uses[-1].before, cache.uses
        ends.append(tensors(model))
        tokens.append(seen.tokens)
    assert tokens == [{TOKENS}, {1}]
    assert not handle.active and handle.reason == ""
    start = tensors(_still(make()))
    assert max(float((start[n] - ends[0][n]).abs().max()) for n in start) > 1e-2
    torch.testing.assert_close(ends[1], ends[0], rtol=0, atol=1e-5)


def test_after_training_the_model_hands_on_all_tokens(tmp_path: Path) -> None:
    model = bert()
    made = trainer(model, tmp_path)
    handle = first_token_alone(made)
    made.train()
    rows = torch.stack([made.train_dataset[i]["input_ids"] for i in range(2)])
    states = model(input_ids=rows, output_hidden_states=True).hidden_states
    assert {state.shape[1] for state in states} == {TOKENS}
    handle.remove()
    assert handle not in made.callback_handler.callbacks
    assert not _hooks_of_this_package(model)


def test_a_training_that_failed_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    class Fails(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("stopped")

    model, fails = bert(), Fails()
    seen = Seen(model)
    made = trainer(model, tmp_path, seen, fails)
    handle = first_token_alone(made)
    with pytest.raises(RuntimeError, match="stopped"):
        made.train()
    assert handle.active
    made.remove_callback(fails)
    made.train()
    assert seen.tokens == {1} and not handle.active
    assert not _hooks_of_this_package(model)


def test_random_numbers_and_resumption_are_exact(tmp_path: Path) -> None:
    """With dropout, a resumed run ends bit for bit as one that was not stopped."""
    whole = bert()
    made = trainer(whole, tmp_path, save_strategy="steps", save_steps=3)
    first_token_alone(made)
    made.train()
    resumed = bert()
    made = trainer(resumed, tmp_path, save_strategy="no")
    first_token_alone(made)
    made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert not changed(tensors(whole), tensors(resumed))


def _listened() -> nn.Module:
    model = bert()
    model.bert.encoder.layer[1].output.register_forward_hook(lambda *_: None)
    return model


def _asked_for_states() -> nn.Module:
    torch.manual_seed(0)
    config = bert_config()
    config.output_hidden_states = True
    return BertForSequenceClassification(config)


class _Stream(torch.utils.data.IterableDataset[dict[str, Any]]):
    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            yield {"input_ids": torch.ones(TOKENS, dtype=torch.long), "labels": 0}


# What is made, and what the handle says of it.
REFUSALS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "convolutions": (resnet, {}, "no last block of a known make"),
    "hidden states": (_asked_for_states, {}, "four rows have other answers"),
    "a hook": (_listened, {}, "a hook listens to output of it"),
    "own loss": (bert, {"kind": OwnLoss}, "OwnLoss has its own compute_loss"),
    "features": (bert, {"objective": "relational"}, ""),
    "outputs of layers": (bert, {"objective": "delta"}, "reads the outputs of layers"),
    "a stream": (bert, {"stream": True}, "the training set is a stream"),
    "images": (vit, {}, ""),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_where_it_is_off_it_says_why(
    case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make, settings, reason = REFUSALS[case]
    objective = settings.get("objective")
    callbacks = [ObjectiveCallback(objective)] if objective else []
    made = trainer(make(), tmp_path, *callbacks, max_steps=2)
    if "kind" in settings:
        made.__class__ = settings["kind"]
    if "stream" in settings:
        made.train_dataset = _Stream()
    handle = first_token_alone(made)
    with caplog.at_level("INFO", logger="hf_transfer_plugin"):
        made.train()
    assert reason in handle.reason and bool(handle.reason) == bool(reason)
    assert ("the last block computes all tokens" in caplog.text) == bool(reason)
