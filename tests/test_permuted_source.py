"""The control "permuted-source": its network, its verdict, and going on where it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from hf_transfer_plugin import DataSpec, Line, RunResult, load_config
from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.data import load_data
from hf_transfer_plugin.data.permuting import permuted_labels
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.source_records import PermutedSource
from tests.stopped_runs import record_trainings
from tests.tiny_runs import (
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    write_config,
    write_images,
    write_text_folder,
)

# Target and source share their classes, so a head that was kept would fit.
KEYS: dict[str, Any] = {
    "controls": ["majority", "permuted-source"],
    "control_learning_rates": [1e-3, 1e-2],
    "source_data": "source",
    "batch_size": 8,
    "training": {"num_train_epochs": 2, "learning_rate": 1e-3, "save_strategy": "epoch"}
    | {"load_best_model_at_end": True, "save_total_limit": 1},
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    write_text_folder(tmp_path / "source")
    text_checkpoint(tmp_path / "bert")


def test_labels_are_handed_around_and_class_counts_stay() -> None:
    data = load_data(DataSpec("source"), "text-classification")
    made, again = permuted_labels(data, 0, 10), permuted_labels(data, 0, 10)
    labels = made.labels("train")
    assert labels == again.labels("train") != data.labels("train")
    assert sorted(labels) == sorted(data.labels("train"))
    assert permuted_labels(data, 1, 10).labels("train") != labels
    assert made.splits["train"]["text"] == data.splits["train"]["text"]
    pairs = set(zip(made.splits["train"]["text"], labels, strict=True))
    measured = made.splits["validation"]
    assert len(measured) == 10 and set(made.splits) == {"train", "validation"}
    assert set(zip(measured["text"], measured["label"], strict=True)) <= pairs


def test_texts_killed_and_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config(Path("c.yaml"), **KEYS)
    fit = "fit of permuted labels"
    calls = record_trainings(monkeypatch, stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        Line(load_config(path)).judge()
    assert not Path("run/sources/permuted").exists()
    report = Line(load_config(path)).report()
    transfer, control = (
        [("transfer", 0), ("transfer", 1)],
        [("permuted-source", s) for s in (0, 1)],
    )
    assert calls == [(fit, 0), (fit, 0), (fit, 0), *control, *transfer]

    # The network: its record, weights that moved from the random ones, and no head.
    folder = Path("run/sources/permuted")
    assert [each.name for each in Path("run/sources").iterdir()] == ["permuted"]
    record = PermutedSource.load(folder / PermutedSource.file_name)
    assert record.counts == (20, 20) and 0 < record.moved < 1
    assert record.learning_rate == float(min(record.losses, key=lambda r: record.losses[r]))
    assert set(record.losses) == {"0.001", "0.01"}
    weights, pretrained = (
        load_file(folder / "model.safetensors"),
        load_file("bert/model.safetensors"),
    )
    assert set(pretrained) - set(weights) == {"classifier.weight", "classifier.bias"}
    assert all(weights[name].shape == pretrained[name].shape for name in weights)
    first = _first_weights(report.results[2].plan.task)
    changed = [name for name in weights if not bool((weights[name] == first[name]).all())]
    assert any("layer.0" in name for name in changed)

    # The control: the plan of the transfer from there, judged beside the others.
    made = RunResult.load("run/results/permuted-source.json").plan
    assert (made.checkpoint, made.revision) == (str(folder), record.request)
    assert (made.schedule, made.seeds) == (report.transfer.plan.schedule, (0, 1))
    assert json.loads(Path("run/verdict.json").read_text())["others"][0]["baseline"] == (
        "permuted-source"
    )
    for file in ("report.html", "README.md"):
        assert "labels permuted" in (Path("run") / file).read_text()

    # Moved or not, nothing trains again; another source or budget is another network.
    shutil.move("run", "elsewhere")
    before = len(calls)
    assert Line.open("elsewhere").judge() == report.verdict and len(calls) == before
    shutil.rmtree("source")
    write_text_folder(Path("source"), validation=None)
    Line.open("elsewhere").judge()
    assert calls[before:] == [(fit, 0), (fit, 0), *control]
    assert PermutedSource.load("elsewhere/sources/permuted/permuted_source.json") != record


def _first_weights(task: Any) -> dict[str, Any]:
    from transformers import set_seed

    from hf_transfer_plugin.checkpoints import Checkpoint

    set_seed(0)
    return Checkpoint("./bert").classifier(task, ("bad", "good"), weights="random").state_dict()


def test_images_of_other_classes() -> None:
    write_images(Path("pictures"), per_class=12)
    write_images(Path("shades"), per_class=8, classes=("dark", "bright", "white"))
    image_checkpoint(Path("resnet"))
    split = {"validation_fraction": 0.25, "test_fraction": 0.25}
    path = write_config(
        Path("c.yaml"),
        task="image-classification",
        checkpoint="./resnet",
        data={"path": "pictures", **split},
        source_data={"path": "shades", **split},
        controls="permuted-source",
        training={"num_train_epochs": 1, "learning_rate": 1e-2},
        control_learning_rates=[1e-2],
    )
    verdict = Line(load_config(path)).judge()
    assert (verdict.baseline, verdict.seeds) == ("permuted-source", 2)
    record = PermutedSource.load("run/sources/permuted/permuted_source.json")
    assert record.class_names == ("bright", "dark", "white")
    weights = load_file("run/sources/permuted/model.safetensors")
    assert {name for name in load_file("resnet/model.safetensors") if name not in weights} == {
        "classifier.1.weight",
        "classifier.1.bias",
    }


def test_a_config_made_in_python_needs_source_data_too() -> None:
    config = RunConfig(
        "text-classification",
        DataSpec("texts"),
        "run",
        checkpoint="./bert",
        controls=("permuted-source",),
        rank_scores=("logme",),
        rank_examples=20,
    )
    with pytest.raises(ConfigError, match="permuted-source without source_data"):
        Line(config).plans()


def test_no_rate_that_trains() -> None:
    keys = {**KEYS, "controls": "permuted-source", "control_learning_rates": [1e30]}
    path = write_config(Path("c.yaml"), **keys)
    with pytest.raises(ConfigError, match="not finite at any of the rates"):
        Line(load_config(path)).run()
    assert not Path("run/sources/permuted").exists()
