"""Objectives of adaptation on pairs of domains: what they gain, resume, and what they leave."""

from __future__ import annotations

import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

from hf_transfer_plugin import (
    DomainPairs,
    DomainPairsCollator,
    FreezingCallback,
    FreezingSchedule,
    ObjectiveCallback,
    prefix_cache,
)
from hf_transfer_plugin.adapt.objectives import term_of
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.objective_kinds import OBJECTIVES
from tests.callbacks.objective_cases import STRONG, build, run
from tests.callbacks.prefix_cases import Images, texts
from tests.callbacks.prefix_cases import build as build_prefix
from tests.callbacks.tiny import changed, tensors
from tests.prefix.row_cases import tokenizer

LEARNING = [name for name, kind in OBJECTIVES.items() if kind.learns]
KEY = "hf_transfer_plugin_objective"


def _carried(checkpoint: Path) -> dict[str, torch.Tensor]:
    state = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    kinds = state["param_groups"][0].get(KEY, {})
    return {f"{kind} {name}": t for kind, named in kinds.items() for name, t in named.items()}


@pytest.mark.parametrize("name", LEARNING)
def test_a_resumed_discriminator_is_equal_to_the_bit(
    name: str, sources: Path, tmp_path: Path
) -> None:
    saves = {"save_strategy": "steps", "save_steps": 2, "gradient_accumulation_steps": 2}
    model, schedule = "resnet", "gradual"
    whole, again = (build(model, None, sources) for _ in range(2))
    run(whole, tmp_path / "whole", STRONG[name], schedule, **saves)
    checkpoint = f"{tmp_path}/whole/checkpoint-2"
    run(again, tmp_path / "again", STRONG[name], schedule, resume=checkpoint, **saves)
    ends = [tmp_path / each / "checkpoint-4" for each in ("whole", "again")]
    one, two = map(_carried, ends)
    assert one.keys() == two.keys() and not changed(one, two)
    moments = [key for key in one if key.endswith("exp_avg")]
    assert len(moments) == sum(key.startswith("weights layers") for key in one) >= 2
    assert int(one["steps steps"]) == 4
    # Checkpoints hold the model, and models nothing else.
    assert load_file(ends[0] / "model.safetensors").keys() == whole.state_dict().keys()
    assert not changed(tensors(whole), tensors(again))


def test_a_checkpoint_without_discriminator_is_said(
    sources: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saves = {"save_strategy": "steps", "save_steps": 2}
    run(build("bert", None, sources), tmp_path, STRONG["dann"], max_steps=2, **saves)
    file = tmp_path / "checkpoint-2" / "optimizer.pt"
    state = torch.load(file, weights_only=True)
    del state["param_groups"][0][KEY]
    torch.save(state, file)
    with caplog.at_level(logging.WARNING):
        resume = f"{tmp_path}/checkpoint-2"
        run(build("bert", None, sources), tmp_path, STRONG["dann"], resume=resume)
    assert "of step 2 holds no discriminator of objective dann" in caplog.text


def test_what_does_not_go_together_is_said(
    sources: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match="objective dann with fp16"):
        run(build("bert", None, sources), tmp_path, "dann", fp16=True)
    network = build("resnet", None, sources)
    with caplog.at_level(logging.WARNING):
        run(network, tmp_path, {"name": "dann", "width": 8}, "head")
    assert "lambda reaches 0.00 in the 4 steps of this run; with warmup 1" in caplog.text
    assert caplog.text.count("objective dann moves nothing as long as all that it reads") == 1


# case -> (model, kind of rows, what trains)
CACHED: dict[str, tuple[str, str, FreezingSchedule]] = {
    "texts": ("bert", "text", FreezingSchedule.top_layers(1)),
    "images": ("resnet", "image", FreezingSchedule.top_layers(1)),
    "texts in phases": (
        "bert",
        "text",
        FreezingSchedule.from_phases(
            [{"train": ["head"], "until_fraction": 0.5}, {"train": ["head", "top:1"]}]
        ),
    ),
}


def _pairs(kind: str) -> tuple[Any, Any, Any, int]:
    if kind == "image":
        return Images(0), Images(5), default_data_collator, 24
    # The longest target text is longer than every text of the source.
    source, target = texts(0), texts(5, lengths=(3, 12, 5, 9, 2))
    return source, target, DataCollatorWithPadding(tokenizer()), 17


@pytest.mark.parametrize("name", ["dann", "mmd"])
@pytest.mark.parametrize("case", CACHED)
def test_the_prefix_cache_gives_what_the_whole_network_gives(
    name: str, case: str, tmp_path: Path
) -> None:
    kind, rows, schedule = CACHED[case]
    found = []
    for is_cached in (False, True):
        network = build_prefix(kind)
        source, target, collate, count = _pairs(rows)
        arguments = TrainingArguments(
            str(tmp_path / "run"),
            num_train_epochs=4,
            per_device_train_batch_size=3,
            gradient_accumulation_steps=2,
            logging_steps=1,
            eval_strategy="epoch",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            report_to=[],
        )
        made = Trainer(
            model=network,
            args=arguments,
            train_dataset=DomainPairs(source, target),
            eval_dataset=source,
            data_collator=DomainPairsCollator(collate),
            callbacks=[FreezingCallback(schedule), ObjectiveCallback(STRONG[name])],
        )
        cache = prefix_cache(made, folder=tmp_path / "cache") if is_cached else None
        made.train()
        logged = [
            entry[key]
            for entry in made.state.log_history
            for key in ("objective/loss", "eval_loss")
            if key in entry
        ]
        found.append((tensors(network), logged))
    assert cache is not None
    assert {use.reason for use in cache.uses} == {""}
    # Rows, not pairs: each is computed once, whatever it is paired with.
    assert cache.uses[0].rows == count
    (whole, terms), (fed, ours) = found
    for key, one in whole.items():
        torch.testing.assert_close(fed[key], one, rtol=1e-4, atol=1e-5)
    assert ours == pytest.approx(terms, rel=1e-3, abs=1e-5)


# Words of each class: told in both domains, and in one of them alone.
BOTH, OWN = ((4, 8), (8, 12)), {"source": ((12, 16), (16, 20)), "target": ((20, 24), (24, 28))}
RIGHT = {"source": 0.87, "target": 0.97}


def _reviews(domain: str, seed: int) -> list[dict[str, Any]]:
    """Return 400 texts of two words of their domain, a shared one that may mislead, and noise."""
    draw, rows = np.random.default_rng(seed), []
    for _ in range(400):
        label = int(draw.integers(2))
        words = [int(draw.integers(*OWN[domain][label])) for _ in range(2)]
        told = label if draw.random() < RIGHT[domain] else 1 - label
        words += [int(draw.integers(*BOTH[told])), *map(int, draw.integers(28, 60, size=5))]
        draw.shuffle(words)
        rows.append({"input_ids": [3, *words], "labels": label})
    return rows


def _trained(model: nn.Module, folder: Path, objective: Any, steps: int, rate: float) -> nn.Module:
    rows = [_reviews("source", 0), _reviews("target", 1)]
    arguments = TrainingArguments(
        str(folder),
        max_steps=steps,
        per_device_train_batch_size=16,
        learning_rate=rate,
        logging_strategy="no",
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        report_to=[],
    )
    Trainer(
        model=model,
        args=arguments,
        train_dataset=DomainPairs(*rows),
        data_collator=DomainPairsCollator(default_data_collator),
        callbacks=[ObjectiveCallback(objective)] if objective else [],
    ).train()
    return model


def _accuracy(model: nn.Module) -> float:
    batch = default_data_collator(_reviews("target", 2))
    with torch.no_grad():
        logits = model.eval()(batch["input_ids"]).logits
    return float((logits.argmax(1) == batch["labels"]).float().mean())


@pytest.fixture(scope="module")
def trained_on_the_source(tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    network = BertForSequenceClassification(config)
    return _trained(network, tmp_path_factory.mktemp("source"), None, 60, 2e-3)


GAINING: dict[str, Any] = {
    "dann": {"name": "dann", "warmup": 20, "width": 64, "rate": 0.01},
    "mmd": "mmd",
    "coral": "coral",
    "mcc": "mcc",
}


def test_the_target_gains(trained_on_the_source: nn.Module, tmp_path: Path) -> None:
    def after(objective: Any) -> float:
        model = deepcopy(trained_on_the_source)
        return _accuracy(_trained(model, tmp_path, objective, 60, 7e-4))

    alone = after(None)
    gained = {name: after(objective) - alone for name, objective in GAINING.items()}
    assert alone < 0.85 and min(gained.values()) > 0.1, (alone, gained)


def test_domains_become_hard_to_tell_apart() -> None:
    """A layer between shifted numbers and the discriminator, with domain confusion and without."""
    accuracy = {}
    for weight in (0.0, 1.0):
        torch.manual_seed(0)
        layer: Any = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 4))
        term: Any = term_of({"name": "domain_confusion", "weight": weight, "rate": 0.01})
        optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3)
        labels, seen = torch.tensor([0] * 32 + [-100] * 32), []
        for _ in range(300):
            values = torch.randn(64, 4) + (labels == -100)[:, None]
            loss, logged = term.against(layer(values), labels == -100, None)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            term.step()
            seen.append(float(logged["accuracy"]))
        accuracy[weight] = float(np.mean(seen[-100:]))
    assert accuracy[0.0] > 0.75 and accuracy[1.0] < 0.6, accuracy
