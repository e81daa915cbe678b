"""Adapters in a run: what is kept is what was tested, and every schedule keeps its word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from hf_transfer_plugin import FreezingSchedule, Plan, load_data, run
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Adapter, RunResult
from hf_transfer_plugin.train import training
from tests.train.settings import Setting

TRAINING = {"num_train_epochs": 3, "learning_rate": 1e-2}


def _plan(setting: Setting, config: Any, **changed: Any) -> Plan:
    adapter = Adapter.from_config(config)
    return setting.plan(adapter=adapter, **{"seeds": (0,), "training": TRAINING, **changed})


def _answers(setting: Setting, folder: Path, merged: bool) -> tuple[int, ...]:
    """Return what a kept model answers on the test split, with transformers and peft alone."""
    text = setting.task == "text-classification"
    auto: Any = AutoModelForSequenceClassification if text else AutoModelForImageClassification
    if merged:
        assert not (folder / "adapter_config.json").exists()
        model = auto.from_pretrained(folder)
    else:
        config = AutoConfig.from_pretrained(folder)
        base = auto.from_pretrained(setting.checkpoint, config=config, ignore_mismatched_sizes=True)
        model = PeftModel.from_pretrained(base, str(folder))
    rows = setting.data.splits["test"]
    if text:
        reader = AutoTokenizer.from_pretrained(folder)
        batch = reader(list(rows["text"]), padding=True, return_tensors="pt")
    else:
        pictures = [picture.convert("RGB") for picture in rows["image"]]
        batch = AutoImageProcessor.from_pretrained(folder)(pictures, return_tensors="pt")
    with torch.no_grad():
        return tuple(model.eval()(**batch).logits.argmax(-1).tolist())


def _kept(result: RunResult) -> tuple[int, ...]:
    return next(s.predictions for s in result.seeds if s.seed == result.best_seed)


@pytest.mark.parametrize("keep", ["merged", "adapter"])
@pytest.mark.parametrize("kind", ["texts", "images"])
def test_what_is_kept_answers_as_it_was_tested(
    kind: str, keep: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    setting: Setting = request.getfixturevalue(kind)
    plan = _plan(setting, {"name": "lora", "r": 4, "keep": keep})
    result = run(plan, model_dir=tmp_path / "model", data=setting.data)
    assert len(set(_kept(result))) == 2, "it has learned to tell the classes"
    assert _answers(setting, tmp_path / "model", keep == "merged") == _kept(result)
    assert 0 < result.trainable_parameters < result.parameters
    size = result.adapter_bytes
    assert size == 4 * result.trainable_parameters, "float32, adapter and head"
    if keep == "adapter":
        kept = load_file(tmp_path / "model" / "adapter_model.safetensors")
        assert sum(tensor.nbytes for tensor in kept.values()) == size
        told = json.loads((tmp_path / "model" / "adapter_config.json").read_text())
        assert Path(told["base_model_name_or_path"]).is_absolute(), "no name of the Hub"


def test_a_run_that_stopped_goes_on_as_one_that_did_not(texts: Setting, tmp_path: Path) -> None:
    plan = _plan(texts, {"name": "dora", "lora_plus": 4}, seeds=(0, 1))
    whole = run(plan, data=texts.data)
    results = tmp_path / "result.json"
    run(replace(plan, seeds=(0,)), results=results, data=texts.data)
    again = run(plan, results=results, data=texts.data)
    assert [s.confidences for s in again.seeds] == [s.confidences for s in whole.seeds]
    assert again.adapter_bytes == whole.adapter_bytes and again.plan == plan
    other = replace(plan, adapter=Adapter("dora"))
    assert run(other, results=results, data=texts.data).plan.adapter == Adapter("dora")


# schedule -> whether the embeddings of the network move
BASES = {
    "adapters": (FreezingSchedule.full(), False),
    "head, then adapters": (FreezingSchedule.lp_ft(0.5), False),
    "adapters, then base": (FreezingSchedule.adapters_first(0.5), True),
    "base, then adapters": (
        FreezingSchedule.from_phases(
            [{"train": ["head", "base:*"], "until_fraction": 0.5}, {"train": "*"}]
        ),
        True,
    ),
}


@pytest.mark.parametrize("name", BASES)
def test_base_weights_move_where_a_schedule_says_so(
    name: str, texts: Setting, tmp_path: Path
) -> None:
    schedule, moves = BASES[name]
    plan = _plan(texts, "lora", schedule=schedule.phases)
    result = run(plan, model_dir=tmp_path / "model", data=texts.data)
    folders = (texts.checkpoint, tmp_path / "model")
    first, last = (load_file(folder / "model.safetensors") for folder in folders)
    table = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(first[table], last[table]) is not moves
    assert not torch.equal(*(each["bert.pooler.dense.weight"] for each in (first, last)))
    assert _answers(texts, tmp_path / "model", merged=True) == _kept(result)


# case -> (adapter, what else the plan says, words of the error)
REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "base weights under an adapter that is kept alone": (
        {"name": "lora", "keep": "adapter"},
        {"schedule": FreezingSchedule.adapters_first().phases},
        "kept alone",
    ),
    "AdaLoRA without gradients": (
        "adalora",
        {"schedule": FreezingSchedule.lp_ft().phases},
        "a phase of top:0",
    ),
    "texts without room": ("prompt_tuning", {}, "data.max_length to 6 or less"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused_before_training(case: str, texts: Setting) -> None:
    from hf_transfer_plugin import explain

    config, changed, words = REFUSED[case]
    plan = _plan(texts, config, **changed)
    with pytest.raises(ConfigError, match=words):
        run(plan, data=texts.data)
    with pytest.raises(ConfigError, match=words):
        explain(plan, train_examples=40)


def test_adalora_keeps_the_ranks_that_it_chose(texts: Setting, tmp_path: Path) -> None:
    plan = _plan(texts, {"name": "adalora", "init_r": 6, "target_r": 2, "keep": "adapter"})
    result = run(plan, model_dir=tmp_path, data=texts.data)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["total_step"] == result.seeds[0].steps == 15
    ranks = [sum(kept) for kept in config["rank_pattern"].values()]
    assert len(ranks) == 13 and sum(ranks) == 2 * 13 and max(ranks) <= 6
    assert _answers(texts, tmp_path, merged=False) == _kept(result)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("texts", "dora"),
        ("images", "dora"),
        ("images", "boft"),
        ("texts", {"name": "prompt_tuning", "num_virtual_tokens": 4}),
    ],
)
def test_the_prefix_cache_is_exact_or_steps_aside(
    kind: str, config: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    setting: Setting = request.getfixturevalue(kind)
    prompt = not isinstance(config, str)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path))
    data = load_data(replace(setting.data.spec, max_length=12), setting.task)
    made: list[Any] = []

    def watched(trainer: Any, real: Any = training.prefix_cache) -> Any:
        made.append(real(trainer))
        return made[-1]

    monkeypatch.setattr(training, "prefix_cache", watched)
    plan = _plan(replace(setting, data=data), config, schedule=FreezingSchedule.lp_ft(0.5).phases)
    found = [
        run(replace(plan, prefix_cache=cached), data=data).seeds[0] for cached in (False, True)
    ]
    assert found[1].confidences == pytest.approx(found[0].confidences, abs=1e-5)
    (cache,) = made
    assert all(bool(use.reason) is prompt for use in cache.uses) and len(cache.uses) == 2
