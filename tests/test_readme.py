"""What the README shows is run as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.utils.data import default_collate
from transformers import BertForSequenceClassification, TrainingArguments

from hf_transfer_plugin import (
    Adapter,
    Augmentation,
    Average,
    FreezingSchedule,
    NegativeTransferCallback,
    Objective,
    load_config,
    load_multitask_config,
)
from hf_transfer_plugin.adapt.average_checks import check_average
from hf_transfer_plugin.adapt.named_schedules import NAMES
from hf_transfer_plugin.adapter_kinds import KINDS
from hf_transfer_plugin.alarms import AlarmAction, AlarmKind
from hf_transfer_plugin.augmentation_records import AUGMENTATIONS
from hf_transfer_plugin.average_kinds import AVERAGES
from hf_transfer_plugin.cli import app
from hf_transfer_plugin.domain_kinds import CHOICES
from hf_transfer_plugin.few_labels.configs import check_few_shot, load_few_shot
from hf_transfer_plugin.few_shot_records import METHODS, ZeroShotMethod
from hf_transfer_plugin.objective_kinds import OBJECTIVES
from hf_transfer_plugin.samples import sample_checkpoint
from tests.augmented_runs import photographs
from tests.callbacks.tiny import bert_config, examples, resnet
from tests.tiny_runs import offline_cache, text_checkpoint, write_text_folder

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
AUGMENTATION = (ROOT / "docs" / "augmentation.md").read_text(encoding="utf-8")
OBJECTIVES_PAGE = (ROOT / "docs" / "objectives.md").read_text(encoding="utf-8")
WEIGHTS_PAGE = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
ADAPTERS = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
DOMAINS = (ROOT / "docs" / "domains.md").read_text(encoding="utf-8")
MULTITASK = (ROOT / "docs" / "multitask.md").read_text(encoding="utf-8")
EMBEDDINGS = (ROOT / "docs" / "embeddings.md").read_text(encoding="utf-8")
FEW_LABELS = (ROOT / "docs" / "few_shot.md").read_text(encoding="utf-8")
PREFIX = (ROOT / "docs" / "prefix.md").read_text(encoding="utf-8")
VERDICT = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")
WATCH = (ROOT / "docs" / "negative_transfer.md").read_text(encoding="utf-8")
SEARCH = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
SCHEDULES = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")


def _blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


_LOADED_BY_OTHERS = """
import json, sys
sys.modules["hf_transfer_plugin"] = None  # an import of it fails, as where it is not installed
from transformers import pipeline
print(json.dumps([pipeline("text-classification", model)("A list.") for model in sys.argv[1:]]))
"""


def test_the_callback_in_your_own_trainer(tmp_path: Path) -> None:
    (script,) = _blocks("python")
    plain = [line for line in script.splitlines() if "  # callback" not in line]
    assert len(script.splitlines()) - len(plain) <= 5, "the callback takes five lines"
    compile("\n".join(plain), "without the callback", "exec")
    assert not [line for line in plain if "Freezing" in line or "schedule" in line]

    (tmp_path / "quickstart.py").write_text(script, encoding="utf-8")
    said = _fresh(tmp_path, "quickstart.py")
    assert "head   neck, head" in said and "whole run: 6" in said
    first, last, model = (f"quickstart/{n}" for n in ("checkpoint-8", "checkpoint-16", "model"))
    source = load_file(sample_checkpoint("sample:minilm") / "model.safetensors")
    pretrained = {f"bert.{name}": tensor for name, tensor in source.items()}
    frozen, thawed = (load_file(tmp_path / each / "model.safetensors") for each in (first, last))
    new = torch.zeros(())
    moved = {name for name in frozen if not torch.equal(frozen[name], pretrained.get(name, new))}
    head = {"classifier.bias", "classifier.weight"}
    assert moved == {*head, "bert.pooler.dense.bias", "bert.pooler.dense.weight"}
    assert len(frozen.keys() - moved) > 90 and frozen["classifier.bias"].any(), "it begins at 0"
    assert not any(torch.equal(frozen[name], thawed[name]) for name in frozen)

    answers = json.loads(_fresh(tmp_path, "-c", _LOADED_BY_OTHERS, first, model))
    assert {answer["label"] for (answer,) in answers} <= {"class", "function"} and len(answers) == 2


def _fresh(folder: Path, *words: str) -> str:
    """Run Python in a process of its own, as somebody without a network does."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_frozen_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, alone = _blocks("python", PREFIX)
    model = BertForSequenceClassification(bert_config())
    args = TrainingArguments(str(tmp_path), num_train_epochs=3, use_cpu=True, disable_tqdm=True)
    given: dict[str, Any] = {"model": model, "args": args, "train": examples(model)}
    exec(code, given)
    assert "before='bert.pooler', reason='', rows=16" in capsys.readouterr().out
    exec(alone, given)
    assert given["handle"].reason == "" and not given["handle"].active


def test_augmentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's script runs and keeps the views; its configs are read, its keys are all."""
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    (code,) = _blocks("python", AUGMENTATION)
    args = TrainingArguments(str(tmp_path), num_train_epochs=8, use_cpu=True, disable_tqdm=True)
    exec(code, {"model": resnet(), "args": args, "train": photographs(24)})
    assert len(list((tmp_path / "cache").glob("*/journal.0"))) == 2
    found = [yaml.safe_load(line) for line in "\n".join(_blocks("yaml", AUGMENTATION)).splitlines()
             if line.startswith("augment")]  # fmt: skip
    assert len([Augmentation.from_config(each["augment"]) for each in found]) == 2
    keys = re.findall(r"^\| `(\w+)` \|", AUGMENTATION, re.MULTILINE)
    assert keys == [each.name for each in fields(Augmentation)]
    assert all(f"`{name}`" in AUGMENTATION for name in AUGMENTATIONS)


def test_several_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = _blocks("python", VERDICT)
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == ["minilm helped 0.975", "bert equivalent 0.950"]


def test_the_watch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = _blocks("python", WATCH)
    assert len(code.splitlines()) <= 15
    model = BertForSequenceClassification(bert_config())
    args = TrainingArguments(
        str(tmp_path), num_train_epochs=2, use_cpu=True, disable_tqdm=True, eval_strategy="epoch"
    )
    shown = {"model": model, "args": args, "train": examples(model)}
    exec(code, shown)
    assert "[]" in capsys.readouterr().out
    watch: NegativeTransferCallback = shown["watch"]  # type: ignore[assignment]
    assert set(re.findall(r"^\| `(\w+)` \|", WATCH, re.MULTILINE)) == {
        *get_args(AlarmKind), *get_args(AlarmAction),
    }  # fmt: skip
    assert watch.options.action == "rollback"


def test_the_config_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = _blocks("yaml")
    Path("config.yaml").write_text(text)
    config = load_config("config.yaml")
    assert config.training["learning_rate"] == 3e-4
    assert set(yaml.safe_load(text)) == {
        "task", "run_folder", "checkpoint", "data", "schedule", "training", "seeds", "controls",
    }  # fmt: skip


def test_the_schedules_of_the_cards(tmp_path: Path) -> None:
    (code,) = _blocks("python", SCHEDULES)
    shown: dict[str, object] = {}
    exec(code, shown)
    assert len(shown["schedule"].phases) == 3  # type: ignore[attr-defined]
    (text,) = _blocks("yaml", SCHEDULES)
    schedule = FreezingSchedule.from_config(yaml.safe_load(text)["schedule"])
    assert len(schedule.phases) == 8 and schedule.phases[2].curve == "slanted_triangular"
    assert set(re.findall(r"^\| `(\w+)\(", SCHEDULES, re.MULTILINE)) == set(NAMES)


def test_the_search_over_schedules(tmp_path: Path) -> None:
    searching, keeping = _blocks("python", SEARCH)
    rows = examples(BertForSequenceClassification(bert_config()))
    args = TrainingArguments(
        str(tmp_path), max_steps=6, use_cpu=True, disable_tqdm=True, eval_strategy="epoch"
    )
    shown: dict[str, Any] = {"args": args, "train": rows, "validation": rows}
    shown["make_model"] = lambda: BertForSequenceClassification(bert_config())
    exec(searching.replace("n_trials=20", "n_trials=2"), shown)
    exec(keeping, shown)
    assert shown["trainer"].state.global_step == 6
    assert shown["args"].learning_rate == shown["best"].hyperparameters["learning_rate"]


def test_the_adapters_of_the_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = _blocks("python", ADAPTERS)
    model = BertForSequenceClassification(bert_config())
    args = TrainingArguments(str(tmp_path), max_steps=4, use_cpu=True, disable_tqdm=True)
    shown: dict[str, object] = {"model": model, "args": args, "train": examples(model)}
    exec(code, shown)
    assert Path("adapter/adapter_model.safetensors").is_file()
    assert type(shown["network"]) is BertForSequenceClassification
    for text in _blocks("yaml", ADAPTERS):
        config = yaml.safe_load(text)
        assert Adapter.from_config(config["adapter"]).name == "lora"
        FreezingSchedule.from_config(config.get("schedule", {"name": "full"}))
    assert set(re.findall(r"^\| `(\w+)` \| [A-Zp]", ADAPTERS, re.MULTILINE)) == set(KINDS)


def test_the_objectives_of_the_cards(tmp_path: Path) -> None:
    code, pairing = _blocks("python", OBJECTIVES_PAGE)
    model = BertForSequenceClassification(bert_config())
    args = TrainingArguments(str(tmp_path), max_steps=4, use_cpu=True, disable_tqdm=True)
    shown: dict[str, Any] = {"model": model, "args": args, "train": examples(model)}
    exec(code, shown)
    assert shown["trainer"].state.global_step == 4
    rows = examples(model)
    exec(pairing, {**shown, "source": rows, "target": rows[:5], "held_out_source": rows})
    for text in _blocks("yaml", OBJECTIVES_PAGE):
        assert Objective.from_config(yaml.safe_load(text)["objective"]).name == "l2sp"
    for name, kind in OBJECTIVES.items():
        options = ", ".join(f"`{key}` {value:g}" for key, value in kind.options.items())
        assert f"| `{name}` | {kind.paper} | {options} |" in OBJECTIVES_PAGE


def test_two_domains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = _blocks("yaml", DOMAINS)
    Path("config.yaml").write_text(text)
    config = load_config("config.yaml")
    assert (config.labels, config.label_free_choice) == ("source", "information")
    for name in CHOICES:
        load_config("config.yaml", [f"choose_by={name}"])
    assert set(
        re.findall(r"^\| `(\w+)`(?: \(default\))? \| .* \| (?:high|low) \|$", DOMAINS, re.MULTILINE)
    ) == set(CHOICES)
    controls = set(re.findall(r"^\| `([\w-]+)` \| (?:the same plan|frozen)", DOMAINS, re.MULTILINE))
    assert controls == {
        "source-only",
        "target-only",
        "source-and-target",
        "per-domain-standardised",
    }
    (code,) = _blocks("python", DOMAINS)
    exec(code, {})
    assert f"# {capsys.readouterr().out}" == code.splitlines(keepends=True)[-1]


def test_word_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"a": "0.5 0.25", "text": "-0.5 1", "film": "1 0"}
    lines = [f"{word} {numbers}\n" for word, numbers in words.items()]
    Path("glove.txt").write_text("".join(lines), encoding="utf-8")
    making, loading, alone = _blocks("python", EMBEDDINGS)
    shown: dict[str, Any] = {"texts": ["a film", "no film"]}
    exec(making, shown)
    assert shown["made"].coverage.known == 3
    shown["model"].save_pretrained("model")
    shown["tokenizer"].save_pretrained("model")
    exec(loading, shown)
    assert shown["classify"]("a text")[0]["label"] in ("LABEL_0", "LABEL_1")
    exec(alone, shown)
    logits = shown["model"](**shown["tokenizer"]("a text", return_tensors="pt")).logits[0]
    assert torch.allclose(shown["logits"], logits)


def test_few_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(Path("texts"))
    text_checkpoint(Path("bert"))
    (code,) = _blocks("python", FEW_LABELS)
    exec(code, {})
    assert re.search(r"^2 {'prototypes': \(0\.", capsys.readouterr().out, re.MULTILINE)
    (text,) = _blocks("yaml", FEW_LABELS)
    Path("few.yaml").write_text(text)
    check_few_shot(load_few_shot("few.yaml"))
    cards = re.findall(r"^\| `([\w-]+)` \|", FEW_LABELS, re.MULTILINE)
    assert cards == [*METHODS, *get_args(ZeroShotMethod)]


def test_the_averages_of_the_cards(tmp_path: Path) -> None:
    (code,) = _blocks("python", WEIGHTS_PAGE)
    model = BertForSequenceClassification(bert_config())
    args = TrainingArguments(str(tmp_path), max_steps=4, use_cpu=True, disable_tqdm=True)
    shown: dict[str, Any] = {"model": model, "args": args, "train": examples(model)}
    exec(code, shown)
    assert shown["average"].weights
    assert shown["average"].choose(model, iter((0.0, 1.0)).__next__)
    for text in _blocks("yaml", WEIGHTS_PAGE):
        config = yaml.safe_load(text)
        phases = FreezingSchedule.from_config(config.get("schedule", {"name": "full"})).phases
        check_average(Average.from_config(config["average"]), None, phases)
    for name, kind in AVERAGES.items():
        options = ", ".join(f"`{key}` {each.default:g}" for key, each in kind.options.items())
        assert re.search(rf"^\| `{name}` \| [^|]+ \| {options} \|", WEIGHTS_PAGE, re.MULTILINE)


def test_several_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = _blocks("python", MULTITASK)
    model = BertForSequenceClassification(bert_config())
    model.save_pretrained("bert")
    rows = {"mood": examples(model)[:6], "topic": examples(model)[6:12]}
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    shown = {"checkpoint": "./bert", "train": rows, "validation": rows, "collate": default_collate}
    exec(code, shown)
    history = shown["trainer"].state.log_history  # type: ignore[attr-defined]
    assert {"eval_mood_accuracy", "eval_topic_accuracy", "eval_mean_accuracy"} <= history[0].keys()
    loaded: Any = BertForSequenceClassification.from_pretrained("out/topic")
    assert list(loaded.config.id2label.values()) == ["art", "law", "sport"]
    (text,) = _blocks("yaml", MULTITASK)
    Path("tasks.yaml").write_text(text)
    assert [way.name for way in load_multitask_config("tasks.yaml").ways] == [
        "size", "round-robin", "temperature-5", "size-pcgrad",
    ]  # fmt: skip


def test_every_command_named_exists() -> None:
    named = set(re.findall(r"`hf-tl ([\w-]+)", README))
    known = {command.name for command in app.registered_commands}
    assert named <= known
    assert len(named) == 15


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets(target: str) -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    assert f"make {target}" in README and f"\n{target}: " in makefile
