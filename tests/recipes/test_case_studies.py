"""The case studies: a small ladder and a pair of domains from end to end, and what is committed."""

from __future__ import annotations

import io
import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.stats import t

from hf_transfer_plugin import Plan, Proposal, RunResult, judge, layer_groups, load_config
from tests.report import samples
from tests.tiny_runs import offline_cache, text_checkpoint, texts, write_table, write_text_folder

RECIPES = Path(__file__).parents[2] / "recipes"
STUDIES = sorted(path.parent for path in (RECIPES / "configs").rglob("study.yaml"))
NETWORK = {"model_type": "plain_cnn", "image_size": 16, "channels": [4, 8], "dense": [8]}
SCRATCH = {
    "task": "image-classification",
    "title": "network from scratch",
    "run_folder": "out/scratch",
    "checkpoint": "network",
    "data": {
        "path": "sample:uci_digits",
        "train_examples": 60,
        "validation_examples": 20,
        "test_examples": 60,
    },
    "training": {
        "num_train_epochs": 2,
        "learning_rate": 0.01,
        "save_strategy": "epoch",
        "load_best_model_at_end": True,
        "metric_for_best_model": "accuracy",
    },
    "batch_size": 16,
    "seeds": 2,
    "watch": "off",
}
FROZEN = SCRATCH | {
    "title": "frozen | network",
    "checkpoint": "sample:efficientnet-lite0",
    "data": {**SCRATCH["data"], "image_size": 32},  # type: ignore[dict-item]
    "schedule": {"phases": [{"train": ["head"]}]},
}

Script = Callable[..., str]


@pytest.fixture
def case_studies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the package of the case studies importable."""
    monkeypatch.syspath_prepend(str(RECIPES))
    yield
    for name in [name for name in sys.modules if name.startswith("case_studies")]:
        del sys.modules[name]


@pytest.fixture
def script(
    case_studies: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Script:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    offline_cache(monkeypatch, tmp_path)

    def say(*words: str) -> str:
        path = str(RECIPES / "case_study.py")
        monkeypatch.setattr(sys, "argv", [path, *words])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    return say


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("trained again")


def test_a_ladder_is_trained_once_and_its_table_is_what_was_answered(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 16}}
    (tmp_path / "network").mkdir()
    for name, content in {"config": NETWORK, "preprocessor_config": processor}.items():
        (tmp_path / "network" / f"{name}.json").write_text(json.dumps(content))
    rungs = ["scratch", {"name": "frozen", "against": "scratch"}]
    study = {"title": "Two rungs", "note": "a note", "run_folder": "out", "rungs": rungs}
    for name, content in {"scratch": SCRATCH, "frozen": FROZEN, "study": study}.items():
        _write(tmp_path / "study" / f"{name}.yaml", content)

    page = script("study")
    stored = (tmp_path / "out" / "table.json").read_text()
    monkeypatch.setattr("hf_transfer_plugin.train.training.train_once", _refuse)
    monkeypatch.setattr("transformers.pipeline", _refuse)
    assert script("study") == page and (tmp_path / "out" / "table.json").read_text() == stored
    assert script("study", "--into", "out") == page, "where it is written is not said"
    assert page.rstrip() == (tmp_path / "out" / "table.md").read_text().rstrip()
    assert "frozen: frozen \\| network" in page and "a note" in page

    found = yaml.safe_load(stored)
    assert [row["name"] for row in found["rungs"]] == ["scratch", "frozen"]
    results = {
        name: RunResult.load(tmp_path / "out" / name / "result.json")
        for name in ("scratch", "frozen")
    }
    for row in found["rungs"]:
        _check_row(row, results[row["name"]])
    # From scratch each seed draws its own weights; of the frozen network only the head is drawn.
    assert results["scratch"].plan.weights == "random"
    assert results["frozen"].trainable_parameters < results["frozen"].parameters
    verdict = judge(results["frozen"], results["scratch"])
    (difference,) = found["differences"]
    assert difference["difference"] == pytest.approx(verdict.difference)
    assert (difference["lower"], difference["outcome"]) == (verdict.lower, verdict.outcome)
    assert sum(each["examples"] for each in found["classes"]) == 60
    for name in ("curves", "confusion", "answers", "mistakes"):
        with Image.open(tmp_path / "out" / "pictures" / f"{name}.png") as picture:
            picture.load()
            assert picture.width == 1200 and len(picture.getcolors(1 << 22) or ()) > 20
    assert not (tmp_path / "out" / "pictures" / "roc.png").exists()  # ten classes


def _check_row(row: dict[str, Any], result: RunResult) -> None:
    truth = np.asarray(result.labels)
    scores = [float((np.asarray(each.predictions) == truth).mean()) for each in result.seeds]
    half = t.ppf(0.975, 1) * np.std(scores, ddof=1) / np.sqrt(2)
    assert row["test"]["mean"] == pytest.approx(np.mean(scores))
    assert row["test"]["upper"] == pytest.approx(np.mean(scores) + half)
    precisions = []
    for seed in result.seeds:
        said = np.asarray(seed.predictions)
        parts = [
            (truth == k).sum() * ((truth == k) & (said == k)).sum() / max((said == k).sum(), 1)
            for k in set(truth.tolist())
        ]
        precisions.append(sum(parts) / len(truth))
    assert row["precision"] == pytest.approx(np.mean(precisions))
    assert row["recall"] == pytest.approx(np.mean(scores))
    assert row["seconds"] == pytest.approx(sum(each.wall_seconds for each in result.seeds))
    assert row["peak_memory"] > 1e8 and 0 <= row["train"] <= 1


def test_roc_of_two_classes(case_studies: None) -> None:
    from case_studies.rung_pictures import roc_picture
    from case_studies.table import positive
    from sklearn.metrics import roc_auc_score

    two = samples.result("two", "bert", 0.8, classes=("a", "b"))
    image = roc_picture({"a": two, "b": two})
    assert image is not None and Image.open(io.BytesIO(image)).width == 1200
    assert roc_picture({"six": samples.result("six", "bert", 0.8)}) is None
    seed = two.seeds[0]
    score = positive(two, seed)
    assert ((score > 0.5) == (np.asarray(seed.predictions) == 1)).all()
    assert roc_auc_score(two.labels, score) > 0.7


def test_a_rung_is_proposed(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text_folder(tmp_path / "texts")
    config = {
        "task": "text-classification",
        "run_folder": "runs/proposed",
        "checkpoint": str(text_checkpoint(tmp_path / "bert")),
        "data": {"path": "./texts"},
        "schedule": "auto",
        "training": {"max_steps": 4},
        "batch_size": 8,
        "seeds": 2,
        "watch": "off",
        "rank_examples": 16,
    }
    _write(tmp_path / "study" / "proposed.yaml", config)
    _write(tmp_path / "study" / "study.yaml", {"run_folder": "out", "rungs": ["proposed"]})
    page = script("study")
    folder = tmp_path / "out" / "proposed"
    proposal, result = (
        Proposal.load(folder / "proposal.json"),
        RunResult.load(folder / "result.json"),
    )
    assert proposal.pilot is not None and len(proposal.pilot.runs) > 1
    assert result.plan.name == "proposed" and len(result.seeds) == 2
    assert result.plan.schedule == Plan.load(folder / "plan.json").schedule
    monkeypatch.setattr("hf_transfer_plugin.train.training.train_once", _refuse)
    monkeypatch.setattr("transformers.pipeline", _refuse)
    assert script("study") == page


def test_domains_are_judged_in_pairs(script: Script, tmp_path: Path) -> None:
    for start, domain in enumerate(("one", "two")):
        train = texts(20, start=100 * start)
        write_text_folder(tmp_path / "data" / "reviews" / domain, train=train)
    other = {k: [v.replace("good", "up") for v in c] for k, c in texts(12).items()}
    write_table(tmp_path / "data" / "alone" / "train.parquet", other)
    text_checkpoint(tmp_path / "bert")
    config = {
        "task": "text-classification",
        "run_folder": "runs/pair",
        "checkpoint": "./bert",
        "data": {"path": "data/reviews/one"},
        "training": {"max_steps": 4, "learning_rate": 1e-3, "eval_steps": 2},
        "batch_size": 8,
        "seeds": 2,
        "watch": "off",
        "control_learning_rates": [1e-3],
    }
    pair = config | {"source_data": {"path": "data/reviews/two"}, "labels": "both"}
    study = {"title": "Pairs", "run_folder": "out", "data": "data", "alone": ["alone"]}
    study["domains"] = ["reviews/one", "reviews/two"]
    for name, content in {"pair": pair, "alone": config, "study": study}.items():
        _write(tmp_path / "study" / f"{name}.yaml", content)
    page = script("study", "--data", str(tmp_path / "data"))
    assert "--data FOLDER" in page and str(tmp_path) not in page
    found = yaml.safe_load((tmp_path / "out" / "table.json").read_text())["pairs"]
    asked = [(each["question"], each["source"], each["target"]) for each in found]
    assert asked == [
        ("pretrained", "pretraining", "one"),
        ("pretrained", "pretraining", "two"),
        ("pretrained", "pretraining", "alone"),
        ("source-and-target", "two", "one"),
        ("source-only", "two", "one"),
        ("source-and-target", "one", "two"),
        ("source-only", "one", "two"),
    ]
    results = tmp_path / "out" / "results"
    both = RunResult.load(results / "two-to-one" / "source-and-target.json")
    alone = RunResult.load(results / "one" / "target-only.json")
    assert (both.plan.labels, alone.plan.labels, alone.plan.source) == ("both", "target", None)
    assert found[3]["verdict"]["difference"] == pytest.approx(
        np.mean(both.scores()) - np.mean(alone.scores())
    )
    for question in ("pretrained", "source-and-target", "source-only"):
        with Image.open(tmp_path / "out" / "pictures" / f"{question}.png") as picture:
            assert picture.width == 1200


def test_the_plain_networks(case_studies: None, tmp_path: Path) -> None:
    from case_studies.plain_networks import PlainCnnConfig
    from transformers import AutoModelForImageClassification

    for size, channels in ((64, (16, 64, 128)), (33, (4, 8))):
        config = PlainCnnConfig(image_size=size, channels=channels, dense=(8, 6), dropout=0.3)
        model: Any = AutoModelForImageClassification.from_config(config).eval()
        pixels = torch.rand(2, 3, size, size)
        assert model(pixels).logits.shape == (2, 2)
        assert layer_groups(model).names == ("convolutions", "dense", "head")
    model.save_pretrained(tmp_path)
    again: Any = AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(model(pixels).logits, again(pixels).logits)
    loss = model(pixels, labels=torch.tensor([0, 1])).loss
    assert loss == torch.nn.functional.cross_entropy(model(pixels).logits, torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("study", "words", "part"),
    [
        ("cats_vs_dogs", ("--rungs", "z"), "study.yaml: unknown rung z"),
        ("cats_vs_dogs", ("--rungs", "a", "data.pat=x"), "did you mean 'path'"),
        ("sentiment", ("--rungs", "bookz"), "unknown domain bookz; did you mean 'books'"),
    ],
)
def test_mistakes_are_explained(
    script: Script,
    study: str,
    words: tuple[str, ...],
    part: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        script(str(RECIPES / "configs" / study), *words)
    assert ended.value.code == 2 and part in capsys.readouterr().err


def test_a_key_that_a_study_does_not_have(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, key, meant in (("a", "rung", "rungs"), ("pair", "alon", "alone")):
        _write(tmp_path / kind / "study.yaml", {"title": "Study", key: ["a"]})
        _write(tmp_path / kind / f"{kind}.yaml", {})
        with pytest.raises(SystemExit) as ended:
            script(kind)
        assert ended.value.code == 2
        assert f"unknown key {key}; did you mean {meant!r}?" in capsys.readouterr().err


CONFIGS = [path for folder in STUDIES for path in sorted(folder.glob("*.yaml"))]


def test_there_are_studies() -> None:
    assert [folder.name for folder in STUDIES] == [
        "cats_vs_dogs",
        "cats_vs_dogs_lora",
        "pets37",
        "sentiment",
        "trec6_cuts",
    ]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_config_opens_with_its_command_and_loads(path: Path) -> None:
    text = path.read_text()
    first = text.splitlines()[0]
    assert str(path.relative_to(RECIPES.parent)) in first or str(path.parent.name) in first
    if path.stem == "study":
        return
    config = load_config(path)
    assert config.run_folder.startswith("runs/") and config.title


def test_each_rung_has_its_config(
    case_studies: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from case_studies.study import load_study

    monkeypatch.chdir(RECIPES.parent)
    rungs = load_study(RECIPES / "configs" / "cats_vs_dogs", only=["a", "b", "d", "wise_ft"]).rungs
    assert [each.plan(tmp_path).weights for each in rungs] == ["random"] * 2 + ["pretrained"] * 2
    assert [len(each.plan(tmp_path).seeds) for each in rungs] == [5, 5, 5, 3]
    for folder in STUDIES:
        listed = yaml.safe_load((folder / "study.yaml").read_text())
        for rung in listed.get("rungs", ()):
            name = rung if isinstance(rung, str) else rung["name"]
            assert (folder / f"{name}.yaml").is_file()


RESULTS = sorted((RECIPES / "case_studies" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_each_committed_page_is_made_of_its_figures(case_studies: None, path: Path) -> None:
    from case_studies.domain_page import domain_markdown
    from case_studies.domain_study import DomainTable
    from case_studies.page import markdown
    from case_studies.table import StudyTable

    if "pairs" in json.loads(path.read_text()):
        page = domain_markdown(DomainTable.load(path))
    else:
        page = markdown(StudyTable.load(path))
    assert path.with_suffix(".md").read_text() == page
    assert not any(word.startswith("/") for word in re.split(r"[\s\"=]", path.read_text()))
