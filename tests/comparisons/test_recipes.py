"""The recipes of instances, clusters and further pretraining, whole, on tiny data."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from transformers import pipeline

from hf_transfer_plugin import (
    ClusterComparison,
    InstanceTransferConfig,
    MaskedLanguageResult,
    Report,
    RunResult,
    TransferError,
    cluster_comparison,
    load_config,
    load_instance_config,
    self_taught,
)
from hf_transfer_plugin.comparisons.instance_settings import WAYS
from tests.tiny_runs import (
    CLASSES,
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_config,
    write_images,
    write_text_folder,
)
from tests.train.masked_checkpoints import encoder

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    offline_cache(monkeypatch, tmp_path)
    write_text_folder(tmp_path / "texts")
    return tmp_path


def _said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, *words: str
) -> str:
    monkeypatch.setattr(sys, "argv", [name, "--config", "config.yaml", *words])
    runpy.run_path(str(RECIPES / f"{name}.py"), run_name="__main__")
    return capsys.readouterr().out


def _instances(**keys: Any) -> None:
    config = {
        "task": "text-classification",
        "source_data": "source",
        "data": "texts",
        "checkpoint": "./bert",
        "run_folder": "run",
        "target_labels": 8,
        "seeds": 2,
        "components": 10,
        "rounds": 4,
        "folds": 2,
        "shown": 3,
        **keys,
    }
    Path("config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def test_instances_of_texts(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text_checkpoint(workplace / "bert")
    rows = texts(15, start=100)
    rows["text"] = [f"<script>{text}</script>" for text in rows["text"]]
    write_text_folder(workplace / "source", train=rows)
    _instances(title="A & B")
    said = _said(monkeypatch, capsys, "instance_transfer", "shown=15")
    names = ["target-only", *WAYS]
    assert [line.split()[0] for line in said.splitlines()[1:7]] == names
    for name in names:
        result = RunResult.load(workplace / "run" / "results" / f"{name}.json")
        assert [seed.seed for seed in result.seeds] == [0, 1] and len(result.labels) == 20
    page = (workplace / "run" / "weights.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page and "A &amp; B" in page
    assert page.count("Trusted least") == 3
    table = (workplace / "run" / "weights.csv").read_text().splitlines()
    assert table[0] == "row,density-ratio,mean-matching,tradaboost" and len(table) == 31
    for column in range(1, 4):
        mean = sum(float(line.split(",")[column]) for line in table[1:]) / 30
        assert mean == pytest.approx(1.0, abs=1e-4)


def test_instances_of_images_show_pictures(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image_checkpoint(workplace / "resnet")
    for folder in ("photos", "drawings"):
        write_images(workplace / folder, per_class=16)
    data = {"path": "drawings", "validation_fraction": 0.25, "test_fraction": 0.25}
    _instances(
        task="image-classification",
        source_data="photos",
        data=data,
        checkpoint="./resnet",
        target_labels=6,
        ways=["density-ratio"],
    )
    assert "density-ratio" in _said(monkeypatch, capsys, "instance_transfer")
    with Image.open(workplace / "run" / "plots" / "trusted_density-ratio.png") as picture:
        assert picture.format == "PNG" and picture.width == 1200
    assert "plots/trusted_density-ratio.png" in (workplace / "run" / "weights.html").read_text()


BAD_KEYS: dict[str, tuple[list[str], str]] = {
    "unknown": (["round=3"], "did you mean 'rounds'"),
    "missing": (["checkpoint=null"], "checkpoint"),
    "way": (["ways=[nearest]"], "nearest"),
    "seeds": (["seeds=1"], "at least two"),
    "inner": (["seeds.path=3"], "the override"),
    "confidence": (["confidence=1.0"], "confidence"),
}


@pytest.mark.parametrize("overrides, words", BAD_KEYS.values(), ids=BAD_KEYS)
def test_keys_that_do_not_fit(overrides: list[str], words: str) -> None:
    _instances()
    with pytest.raises(TransferError) as caught:
        load_instance_config("config.yaml", overrides)
    assert words in str(caught.value)
    good = load_instance_config("config.yaml", ["data.max_length=8"])
    assert good.data.max_length == 8
    assert InstanceTransferConfig.from_json(good.to_json()) == good


def test_source_and_target_need_the_same_classes(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text_checkpoint(workplace / "bert")
    other = {
        role: texts(12, start=start, classes=("bad", "fine"))
        for role, start in (("train", 0), ("validation", 20), ("test", 40))
    }
    write_text_folder(workplace / "source", **other)
    _instances()
    with pytest.raises(SystemExit, match="2"):
        _said(monkeypatch, capsys, "instance_transfer")
    assert "expected: the same classes" in capsys.readouterr().err


def test_clusters(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text_checkpoint(workplace / "bert")
    write_config(workplace / "config.yaml", controls=["majority"])
    said = _said(
        monkeypatch, capsys, "clustering", "--components", "5", "--projection", "tsne", "--whiten"
    )
    assert "40 examples, 2 clusters, k-means" in said and "largest silhouette" in said
    found = ClusterComparison.load(workplace / "run" / "clusters.json")
    assert set(found.scores) == {"transferred", "tfidf", "random-weights"}
    assert all(len(values) == 2 for each in found.scores.values() for values in each.values())
    assert found.verdicts["tfidf accuracy"].baseline == "tfidf" and len(found.verdicts) == 6
    with Image.open(workplace / "run" / "plots" / "clusters.png") as picture:
        assert picture.format == "PNG" and picture.width == 1200
    with pytest.raises(TransferError, match="projection"):
        cluster_comparison(load_config("config.yaml"), projection="umap")


def test_further_pretraining(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder(workplace / "bert", words=("film", *CLASSES))
    data = {"path": "texts", "train_examples": 10}
    write_config(workplace / "config.yaml", data=data, controls=["majority"])
    said = _said(monkeypatch, capsys, "self_taught", "--epochs", "1", "--max-length", "16")
    # All 40 texts of train are read, the labels of 10.
    assert "masked words: " in said and "36 texts" in said
    assert "against before-pretraining" in said
    report = Report.load(workplace / "run" / "report.json")
    after, before, majority = report.results
    assert [each.plan.data.train_examples for each in report.results] == [10, 10, 10]
    assert Path(after.plan.checkpoint).name == "pretrained" and before.plan.checkpoint == "./bert"
    assert majority.plan.name == "majority" and report.verdict.baseline == "before-pretraining"
    ranked = [Path(each.checkpoint).name for each in report.ranking.candidates]
    assert sorted(ranked) == ["bert", "pretrained"]
    assert report.pretraining == MaskedLanguageResult.of(str(workplace / "run" / "pretrained"))
    card = (workplace / "run" / "README.md").read_text()
    assert "Weights of bert, pretrained further." in card and str(workplace) not in card
    assert "on 36 texts without their labels" in card
    assert "self_taught.py --config config.yaml --epochs 1 --max-length 16" in card
    assert pipeline("text-classification", str(workplace / "run" / "model"))("film")
    image_checkpoint(workplace / "resnet")
    images = load_config("config.yaml", ["task=image-classification", "checkpoint=./resnet"])
    with pytest.raises(TransferError, match="image-classification"):
        self_taught(images)


def test_target_texts_without_labels_come_before_labels_of_the_source(workplace: Path) -> None:
    encoder(workplace / "bert", words=("film", *CLASSES))
    write_text_folder(workplace / "source", train=texts(20, start=100))
    one = {**texts(20), "label": [CLASSES[0]] * 40}  # as labels they would be refused
    write_text_folder(workplace / "target", train=one)
    keys = {"data": "target", "source_data": "source", "labels": "source", "controls": ["majority"]}
    write_config(workplace / "config.yaml", **keys)
    found = self_taught(load_config("config.yaml"), epochs=1, max_length=16)
    assert found.pretraining.texts + found.pretraining.validation_texts == 40
    plan = found.transfer.plan
    assert plan.labels == "source" and plan.source and Path(plan.source.path).name == "source"
    assert found.transfer.seeds[0].kept_step and len(found.control.scores()) == 2
