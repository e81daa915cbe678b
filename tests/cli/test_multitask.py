"""`hf-tl multitask`: what it prints and keeps, and the mistakes that it names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hf_transfer_plugin import (
    MultitaskLine,
    MultitaskReport,
    MultitaskResult,
    RunResult,
    load_data,
    load_multitask_config,
)
from hf_transfer_plugin.records import DataSpec
from tests.cli.conftest import Command
from tests.tiny_runs import texts, write_images, write_text_folder

TOPICS = ("cast", "end", "plot")


def _config(**keys: Any) -> str:
    config = {
        "task": "text-classification",
        "title": "Two tiny tasks",
        "tasks": {"mood": "texts", "topic": "topics"},
        "run_folder": "run",
        "checkpoint": "./bert",
        "ways": ["size", {"sampling": "round_robin", "pcgrad": True}],
        "training": {"num_train_epochs": 2, "learning_rate": 1e-3},
        "batch_size": 8,
        "seeds": 2,
        **keys,
    }
    Path("tasks.yaml").write_text(yaml.safe_dump(config))
    return "tasks.yaml"


@pytest.fixture
def tasks(workplace: Path) -> Path:
    """Stand beside texts of two classes and texts of three."""
    splits: Mapping[str, Any] = {
        "train": texts(8, classes=TOPICS),
        "validation": texts(4, start=8, classes=TOPICS),
        "test": texts(6, start=12, classes=TOPICS),
    }
    write_text_folder(workplace / "topics", **splits)
    return workplace


def test_a_run(tasks: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    best = {"save_strategy": "epoch", "load_best_model_at_end": True, "learning_rate": 1e-3}
    words = ["multitask", _config(training={"num_train_epochs": 2, **best})]
    code, out, err = command(*words)
    assert code == 0, err
    assert "Two tiny tasks" in out and "round-robin-pcgrad" in out and "together" in out
    assert "gradients in conflict, share of batches: mood / topic" in out
    run = tasks / "run"
    report = MultitaskReport.load(run / "multitask.json")
    assert report.command == "hf-tl multitask tasks.yaml"
    line = MultitaskLine(load_multitask_config("tasks.yaml"))
    assert load_multitask_config(shlex.split(line.command)[2]) == line.config
    assert list(report.verdicts) == ["size", "round-robin-pcgrad"]
    for way, verdicts in report.verdicts.items():
        kept = MultitaskResult.load(run / "results" / f"{way}.json")
        assert list(verdicts) == list(kept.results) == ["mood", "topic"]
        for task, verdict in verdicts.items():
            alone = RunResult.load(run / "results" / "single" / f"{task}.json")
            together = kept.results[task]
            assert verdict.seeds == 2 and verdict.baseline == "single"
            wanted = np.mean(together.scores()) - np.mean(alone.scores())
            assert verdict.difference == pytest.approx(wanted)
            assert len(together.seeds[0].curve) == 2
            # 24 + 40 rows in batches of 8 are as many steps as the tasks have alone.
            assert together.seeds[0].steps == 16
            _assert_as_tested(run / "models" / way / task, together, tasks, task)
            _assert_card(run / "models" / way / task, together)
        assert (task in report.harmed[way]) == (verdicts[task].outcome == "harmed")
    with Image.open(run / "plots" / "tasks.png") as picture:
        assert picture.width == 1200
    # Nothing is trained again.
    monkeypatch.setattr("hf_transfer_plugin.train.multitask_training.train_tasks", None)
    monkeypatch.setattr("hf_transfer_plugin.train.training.train_once", None)
    code, again, err = command(*words)
    assert (code, again) == (0, out), err


def _assert_card(folder: Path, result: RunResult) -> None:
    """The card beside the weights states what these very weights reached."""
    data = ModelCard.load(folder / "README.md").data
    (kept,) = (seed for seed in result.seeds if seed.seed == result.best_seed)
    values = {found.metric_name: found.metric_value for found in data.eval_results}
    assert values["Accuracy"] == kept.test["accuracy"] and len(values) == 2
    assert (folder / "plots" / "tasks.png").is_file()


def _assert_as_tested(folder: Path, result: RunResult, tasks: Path, task: str) -> None:
    """The model of the best seed, loaded without this package, answers as it was tested."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    data = load_data(
        DataSpec(str(tasks / {"mood": "texts", "topic": "topics"}[task])), "text-classification"
    )
    assert tuple(model.config.id2label.values()) == data.class_names
    inputs = tokenizer(list(data.splits["test"]["text"]), padding=True, return_tensors="pt")
    with torch.no_grad():
        answers = model(**inputs).logits.softmax(-1).max(-1)
    (seed,) = (each for each in result.seeds if each.seed == result.best_seed)
    assert answers.indices.tolist() == list(seed.predictions)
    assert answers.values.tolist() == pytest.approx(seed.confidences, abs=1e-5)


def _empty_validation(folder: Path) -> None:
    write_text_folder(folder / "topics", validation={"text": [], "label": []})


def _pictures(folder: Path) -> None:
    write_images(folder / "pictures")


# name -> (what is done before, keys of the config, words of the error)
MISTAKES: dict[str, tuple[Any, dict[str, Any], tuple[str, ...]]] = {
    "one task": (None, {"tasks": {"mood": "texts"}}, ("one task alone: mood", "hf-tl run")),
    "other modality": (
        _pictures,
        {"tasks": {"mood": "texts", "look": "pictures"}},
        ("task look, read for text-classification as all are", "no text column"),
    ),
    "no validation": (_empty_validation, {}, ("task topic", "validation is empty")),
    "a lone adapter": (None, {"adapter": "prompt_tuning"}, ("adapter prompt_tuning", "merge")),
    "another order": (
        None,
        {"training": {"train_sampling_strategy": "group_by_length"}},
        ("train_sampling_strategy is set", "`ways`"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_with_one_message(name: str, tasks: Path, command: Command) -> None:
    before, keys, words = MISTAKES[name]
    if before is not None:
        before(tasks)
    code, out, err = command("multitask", _config(**keys))
    assert code == 2 and "Traceback" not in err and not out
    assert "error: " in err and all(word in err for word in words), err
