"""The whole line on tiny data: what it leaves, that others can load it, and picking it up."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Line, Plan, RunResult, Verdict, load_config
from hf_transfer_plugin.train import training
from tests.tiny_runs import (
    blind_copy,
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_config,
    write_images,
    write_table,
    write_text_folder,
)

SEEDS = 3
TRAINING = {"num_train_epochs": 2, "learning_rate": 1e-3}

_OUTSIDER = """
import json, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hf_transfer_plugin":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
from transformers import pipeline
task, model, inputs = json.loads(sys.argv[1])
answers = pipeline(task, model=model)(inputs, top_k=1)
print(json.dumps([answer[0] for answer in answers]))
"""


@pytest.fixture
def texts_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    return write_config(
        tmp_path / "config.yaml",
        seeds=SEEDS,
        batch_size=8,
        training=TRAINING,
        schedule={"name": "lp_ft", "fraction": 0.5},
        control_learning_rates=[1e-3, 1e-2],
    )


def _outsider(task: str, model: Path, inputs: list[str]) -> list[dict[str, Any]]:
    """Ask the saved model in a process where this package cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", _OUTSIDER, json.dumps([task, str(model), inputs])],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _check_folder(folder: Path, plans: set[str]) -> None:
    for name in ("ranking.json", "plan.json", "verdict.json", "report.json", "data.json"):
        json.loads((folder / name).read_text())
    assert {file.stem for file in (folder / "results").iterdir()} == plans
    assert (folder / "report.html").read_text().count("<img") >= 3
    assert "model-index" in (folder / "README.md").read_text()
    assert (folder / "model" / "model.safetensors").is_file()
    assert not [*folder.rglob("*.bin"), *folder.rglob(".*")]


def test_texts(texts_config: Path) -> None:
    line = Line(load_config(texts_config))
    report = line.report()
    _check_folder(line.folder, {"transfer", "from-scratch", "tfidf-logistic", "majority"})
    verdict = report.verdict
    assert (verdict.baseline, verdict.seeds) == ("from-scratch", SEEDS)
    assert verdict.lower <= verdict.difference <= verdict.upper
    assert [each.baseline for each in verdict.others] == ["tfidf-logistic", "majority"]
    majority = report.results[3]
    assert majority.scores() == (0.5,) * SEEDS
    assert report.results[2].scores() == (1.0,) * SEEDS
    scratch = report.results[1]
    assert set(scratch.grid) == {"0.001", "0.01"}
    best = max(scratch.grid, key=lambda rate: scratch.grid[rate])
    assert scratch.seeds[0].learning_rate == float(best)

    transfer = report.transfer
    kept = next(each for each in transfer.seeds if each.seed == transfer.best_seed)
    assert kept.validation["accuracy"] == max(s.validation["accuracy"] for s in transfer.seeds)
    rows = line.data.splits["test"]
    answers = _outsider("text-classification", line.model_dir, list(rows["text"]))
    names = line.data.class_names
    assert [answer["label"] for answer in answers] == [names[p] for p in kept.predictions]
    for answer, confidence in zip(answers, kept.confidences, strict=True):
        assert answer["score"] == pytest.approx(confidence, abs=1e-4)


def test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "pictures", per_class=12)
    image_checkpoint(tmp_path / "resnet")
    config = write_config(
        tmp_path / "config.yaml",
        task="image-classification",
        data={"path": "pictures", "validation_fraction": 0.25, "test_fraction": 0.25},
        checkpoint="./resnet",
        batch_size=4,
        training={"num_train_epochs": 4, "learning_rate": 1e-2},
        control_learning_rates=[1e-2],
    )
    line = Line(load_config(config))
    report = line.report()
    _check_folder(line.folder, {"transfer", "from-scratch", "pixels-logistic", "majority"})
    lost = report.verdict.hidden.lost_examples if report.verdict.hidden else ()
    assert [each.number for each in report.examples] == list(lost[:10])
    assert line.data.class_names == ("cat", "dog")
    rows = line.data.splits["test"]
    paths = [str(tmp_path / f"{number}.png") for number in range(len(rows))]
    for row, path in zip(rows, paths, strict=True):
        row["image"].save(path)
    transfer = report.transfer
    kept = next(each for each in transfer.seeds if each.seed == transfer.best_seed)
    answers = _outsider("image-classification", line.model_dir, paths)
    assert len(answers) == 6
    assert [answer["label"] for answer in answers] == [("cat", "dog")[p] for p in kept.predictions]
    for answer, confidence in zip(answers, kept.confidences, strict=True):
        assert answer["score"] == pytest.approx(confidence, abs=1e-4)
    assert report.results[2].scores() == (1.0, 1.0)


def _bytes(folder: Path) -> dict[str, bytes]:
    kept = [folder / "ranking.json", folder / "plan.json", *sorted((folder / "results").iterdir())]
    return {file.name: file.read_bytes() for file in kept}


def test_nothing_is_done_twice(texts_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(load_config(texts_config))
    folder = line.folder
    assert Line.open(shlex.split(line.command)[2]).config == line.config
    verdict = Line(load_config(texts_config)).judge()
    before = _bytes(folder)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "train_once", refuse)
    (folder / "verdict.json").unlink()
    assert Line.open(folder).judge() == verdict == Verdict.load(folder / "verdict.json")
    assert Line(load_config(texts_config)).report().verdict == verdict
    assert _bytes(folder) == before
    write_table(Path("texts") / "train.parquet", texts(21))
    with pytest.raises(AssertionError, match="trained again"):
        Line.open(folder).judge()
    write_table(Path("texts") / "train.parquet", texts(20))
    with pytest.raises(AssertionError, match="trained again"):
        Line(load_config(texts_config, ["training.learning_rate=1e-4"])).judge()


def test_goes_on_after_a_stop(texts_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(texts_config, ["controls=majority"])
    whole = Line(load_config(texts_config, ["controls=majority", "run_folder=whole"])).run()[0]
    real, calls = training.train_once, []

    def stop_at_third(*given: Any) -> Any:
        calls.append(given[1])
        if len(calls) == SEEDS:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(training, "train_once", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        Line(config).run()
    left = RunResult.load(Path(config.run_folder) / "results" / "transfer.json")
    assert [each.seed for each in left.seeds] == [0, 1]
    gone_on = Line(config).run()[0]
    assert calls == [0, 1, 2, 2]
    assert [s.predictions for s in gone_on.seeds] == [s.predictions for s in whole.seeds]
    assert [s.confidences for s in gone_on.seeds] == [s.confidences for s in whole.seeds]
    assert gone_on.best_seed == whole.best_seed
    weights = [Path(f, "model", "model.safetensors").read_bytes() for f in ("run", "whole")]
    assert weights[0] == weights[1]


def test_an_edited_plan_is_honoured(texts_config: Path) -> None:
    line = Line(load_config(texts_config, ["controls=majority"]))
    path = line.folder / Plan.file_name
    line.plan()
    edited = json.loads(path.read_text())
    edited["schedule"] = [{"train": ["head"]}]
    edited["seeds"] = [7, 8]
    path.write_text(json.dumps(edited))
    result = Line.open(line.folder).run()[0]
    assert [each.seed for each in result.seeds] == [7, 8]
    # The head of this network: 32 x 2 weights and 2 biases.
    assert result.trainable_parameters == 66


def test_frozen_layers_keep_the_weights_of_the_checkpoint(texts_config: Path) -> None:
    from safetensors.torch import load_file

    changes = ["controls=majority", "schedule={phases: [{train: [head]}]}"]
    line = Line(load_config(texts_config, changes))
    line.run()
    source = load_file(Path("bert") / "model.safetensors")
    trained = load_file(line.model_dir / "model.safetensors")
    moved = {name for name in source if not bool((source[name] == trained[name]).all())}
    assert moved == {"classifier.weight", "classifier.bias"}


def test_examples_that_transfer_loses_are_shown_at_home(texts_config: Path) -> None:
    blind_copy(Path("bert"), Path("blind"))
    changes = ["checkpoint=./blind", "controls=linear", "training.num_train_epochs=1"]
    line = Line(load_config(texts_config, changes), command="hf-tl run mine.yaml")
    report = line.report()
    hidden = report.verdict.hidden
    assert hidden is not None and hidden.lost >= 5
    rows = line.data.splits["test"]
    assert [each.number for each in report.examples] == list(hidden.lost_examples[:10])
    assert all(each.text == rows[each.number]["text"].strip() for each in report.examples)
    one = report.examples[0].text
    for name, shown in (("report.html", True), ("report.json", True), ("README.md", False)):
        assert (one in (line.folder / name).read_text()) == shown, name

    again = Line.open(line.folder)
    again.config = replace(again.config, report_examples=0)
    without = again.report()
    assert without.examples == () and without.command == "hf-tl run mine.yaml"
    assert one not in (line.folder / "report.html").read_text()
