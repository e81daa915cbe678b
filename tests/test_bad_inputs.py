"""Each mistake a user can make ends with exit code 2 and one message of three parts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.cli import main
from tests.tiny_runs import (
    CLASSES,
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_config,
    write_images,
    write_table,
    write_text_folder,
)

Columns = dict[str, Any]
NAN = float("nan")


def _labels(values: Callable[[list[str]], list[Any]]) -> Columns:
    columns = texts(20)
    return {"text": columns["text"], "label": values(columns["label"])}


def _numbers(labels: list[str]) -> list[int]:
    return [CLASSES.index(label) for label in labels]


def _only(name: str, per_class: int = 5) -> Columns:
    columns = texts(per_class, start=50)
    kept = [row for row in zip(columns["text"], columns["label"], strict=True) if row[1] == name]
    return {"text": [text for text, _ in kept], "label": [label for _, label in kept]}


def _with_null() -> Columns:
    columns = texts(20)
    return {**columns, "text": [None, *columns["text"][1:]]}


# name -> (train columns or other splits, fragments of the message)
TABLES: dict[str, tuple[dict[str, Columns], list[str]]] = {
    "empty split": (
        {"validation": {"text": [], "label": []}},
        ["the split validation is empty"],
    ),
    "one class": (
        {"train": _only("bad", 20), "validation": _only("bad"), "test": _only("bad")},
        ["one class only", "bad"],
    ),
    "class missing from validation": (
        {"validation": _only("bad")},
        ["validation has no example of 'good'"],
    ),
    "class missing from train": (
        {"validation": texts(5, start=60, classes=(*CLASSES, "new"))},
        ["train has no example of 'new'"],
    ),
    "missing label": (
        {"train": _labels(lambda labels: [None, *labels[1:]])},
        ["row 0 of train has no label"],
    ),
    "NaN label": (
        {"train": _labels(lambda labels: [NAN, *map(float, _numbers(labels[1:]))])},
        ["row 0 of train has no label"],
    ),
    "label that is no whole number": (
        {"train": _labels(lambda labels: [0.5, *map(float, _numbers(labels[1:]))])},
        ["row 0 of train has the label 0.5"],
    ),
    "hidden label": (
        {"train": _labels(lambda labels: [-1, *_numbers(labels[1:])])},
        ["row 0 of train has the label -1", "hidden"],
    ),
    "several labels a row": (
        {"train": _labels(lambda labels: [[number] for number in _numbers(labels)])},
        ["row 0 of train has several labels"],
    ),
    "no text in a row": ({"train": _with_null()}, ["row 0 of train (text) holds nothing"]),
    "no label column": (
        {"train": {"text": texts(20)["text"], "grade": texts(20)["label"]}},
        ["no label column among", "data.label"],
    ),
}

# name -> (keys of the config that replace the tiny ones, fragments)
CONFIGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no such data": ({"data": "./nowhere.csv"}, ["no such file or folder: ./nowhere.csv"]),
    "data of an unknown kind": ({"data": "config.txt"}, ["unknown kind", "config.txt"]),
    "unknown packaged data": ({"data": "sample:docs"}, ["sample:docs", "sample:docstrings"]),
    "data out of reach": ({"data": "nobody/nothing"}, ["cannot read the data nobody/nothing"]),
    "text column missing": (
        {"data": {"path": "texts", "text": "sentence"}},
        ["no 'sentence' column among", "data.text"],
    ),
    "split missing": (
        {"data": {"path": "texts", "test_split": "holdout"}},
        ["no split 'holdout'", "data.test_split"],
    ),
    "more examples asked than classes allow": (
        {"data": {"path": "texts", "train_examples": 1}},
        ["cannot give 1 for train"],
    ),
    "unknown packaged checkpoint": ({"checkpoint": "sample:bert"}, ["sample:bert", "minilm"]),
    "no such checkpoint folder": ({"checkpoint": "./gone"}, ["no such checkpoint folder: ./gone"]),
    "checkpoint without config": ({"checkpoint": "./empty"}, ["holds no config.json"]),
    "pickled weights": ({"checkpoint": "./pickled"}, ["cannot be loaded", "safetensors"]),
    "checkpoint out of reach": (
        {"checkpoint": "nobody/nothing"},
        ["nobody/nothing", "Hub cannot be reached"],
    ),
    "no checkpoint name": ({"checkpoint": "a b"}, ["'a b' is no checkpoint name"]),
    "unwritable run folder": ({"run_folder": "config.txt/run"}, ["cannot write config.txt/run"]),
    "unknown key": ({"chekpoint": "x"}, ["unknown key chekpoint", "did you mean 'checkpoint'?"]),
    "unknown nested key": (
        {"data": {"path": "texts", "lable": "y"}},
        ["unknown key data.lable", "did you mean 'label'?"],
    ),
    "key missing": ({"run_folder": None}, ["no run_folder"]),
    "value of the wrong kind": ({"seeds": "many"}, ["seeds", "many"]),
    "wrong task": ({"task": "translation"}, ["translation"]),
    "unknown schedule": (
        {"schedule": {"name": "linear_prob"}},
        ["linear_prob", "did you mean 'linear_probe'?"],
    ),
    "selector that matches nothing": (
        {"schedule": {"phases": [{"train": ["layr.*"]}]}},
        ["layr.*", "layer.0"],
    ),
    "unknown training argument": (
        {"training": {"learning_rte": 1e-3}},
        ["unknown key training.learning_rte", "did you mean 'learning_rate'?"],
    ),
    "training argument that is gone": (
        {"training": {"overwrite_output_dir": True}},
        ["training.overwrite_output_dir"],
    ),
    "training argument of another key": (
        {"training": {"seed": 3}},
        ["training.seed is set", "seeds"],
    ),
    "unknown metric": ({"metric": "acuracy"}, ["acuracy", "did you mean 'accuracy'?"]),
    "unknown control": ({"controls": ["from-scrach"]}, ["from-scrach", "'from-scratch'"]),
    "unknown score": ({"rank_scores": ["logm"]}, ["logm", "did you mean 'logme'?"]),
    "more processes than run": ({"processes": 2}, ["1 process running", "--num_processes 2"]),
}

FILES: dict[str, tuple[str, list[str]]] = {
    "duplicate key": ("task: a\ntask: b\n", ["line 2", "'task' appears twice"]),
    "broken YAML": ("task: [\n", ["cannot parse broken.yaml"]),
    "no mapping": ("- task\n", ["broken.yaml holds"]),
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with good data and checkpoints, with no network."""
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    text_checkpoint(tmp_path / "bert")
    (tmp_path / "empty").mkdir()
    (tmp_path / "config.txt").write_text("not a table")
    pickled = text_checkpoint(tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    return tmp_path


def _fails(capsys: pytest.CaptureFixture[str], monkeypatch: Any, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["hf-tl", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    message = capsys.readouterr().err
    assert stopped.value.code == 2, message
    assert "error: " in message and "  expected: " in message and "  to do: " in message
    assert "Traceback" not in message
    for left in Path("run").rglob("*") if Path("run").exists() else []:
        assert left.name in ("config.json", "data.json", "ranking.json", "plan.json"), left
        json.loads(left.read_text())
    return message


def test_the_tables_are_whole() -> None:
    assert (len(TABLES), len(CONFIGS), len(FILES)) == (11, 28, 3)


@pytest.mark.parametrize("name", TABLES)
def test_bad_tables(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    splits, fragments = TABLES[name]
    for split, columns in splits.items():
        write_table(Path("texts") / f"{split}.parquet", columns)
    if name in ("missing label", "NaN label") or "label" in name and "column" not in name:
        # One file alone: the splits of a folder must agree on the kind of their labels.
        write_table(Path("table.parquet"), splits["train"])
        write_config(Path("config.yaml"), data="table.parquet")
    elif "column" in name:
        write_table(Path("table.csv"), splits["train"])
        write_config(Path("config.yaml"), data="table.csv")
    else:
        write_config(Path("config.yaml"))
    message = _fails(capsys, monkeypatch, "run", "config.yaml")
    assert all(fragment in message for fragment in fragments), message


@pytest.mark.parametrize("name", CONFIGS)
def test_bad_configs(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    keys, fragments = CONFIGS[name]
    write_config(Path("config.yaml"), **keys)
    message = _fails(capsys, monkeypatch, "run", "config.yaml")
    assert all(fragment in message for fragment in fragments), message


@pytest.mark.parametrize("name", FILES)
def test_bad_files(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    text, fragments = FILES[name]
    Path("broken.yaml").write_text(text)
    message = _fails(capsys, monkeypatch, "run", "broken.yaml")
    assert all(fragment in message for fragment in fragments), message


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["run", "gone.yaml"], ["cannot read gone.yaml"]),
        (["run", "config.yaml", "seeds"], ["the override 'seeds'", "key=value"]),
        (["judge", "empty"], ["cannot read empty/config.json"]),
        (["run", "empty", "seeds=3"], ["overrides seeds=3", "run folder"]),
        (["publish", "empty", "me/model"], ["cannot read empty/report.json"]),
    ],
)
def test_bad_commands(
    words: list[str], fragments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    write_config(Path("config.yaml"))
    message = _fails(capsys, monkeypatch, *words)
    assert all(fragment in message for fragment in fragments), message


@pytest.mark.parametrize("content", [b"not a picture", None])
def test_broken_images(
    content: bytes | None, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    folder = write_images(Path("pictures"))
    broken = folder / "cat" / "3.png"
    broken.write_bytes(content if content is not None else broken.read_bytes()[:200])
    image_checkpoint(Path("resnet"))
    keys = {"task": "image-classification", "data": "pictures", "checkpoint": "./resnet"}
    write_config(Path("config.yaml"), **keys)
    message = _fails(capsys, monkeypatch, "run", "config.yaml")
    assert "broken image" in message and "3.png" in message


def test_damaged_run_folder(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    Path("run").mkdir()
    Path("run/config.json").write_text('{"task": ')
    monkeypatch.setattr(sys, "argv", ["hf-tl", "judge", "run"])
    with pytest.raises(SystemExit) as stopped:
        main()
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "cannot read run/config.json" in message


def test_closed_network_in_a_process_of_its_own() -> None:
    write_config(Path("config.yaml"), checkpoint="nobody/nothing")
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_secretsecret"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-m", "hf_transfer_plugin.cli", "rank", "config.yaml"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Hub cannot be reached" in done.stderr and "hf_secret" not in done.stderr
    assert "Traceback" not in done.stderr
