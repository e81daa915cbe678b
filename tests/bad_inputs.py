"""Mistakes a user can make: how to set up the files, the command, and what must be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tiny_runs import (
    CLASSES,
    texts,
    write_config,
    write_images,
    write_table,
    write_text_folder,
)

__all__ = ["BAD_INPUTS", "BadInput"]

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class BadInput:
    """One mistake.

    Attributes:
        name: short, unique.
        prepare: changes the current folder, which holds good texts, a BERT and a ResNet.
        words: the command line behind `hf-tl`.
        fragments: parts of the message.
    """

    name: str
    prepare: Callable[[], object]
    words: tuple[str, ...]
    fragments: tuple[str, ...]


def _case(name: str, prepare: Callable[[], object], command: str, *fragments: str) -> BadInput:
    return BadInput(name, prepare, tuple(command.split()), fragments)


def _config(name: str, keys: dict[str, Any], *fragments: str) -> BadInput:
    """Return a case of keys that replace those of a good config."""
    return _case(name, lambda: write_config(Path("c.yaml"), **keys), "run c.yaml", *fragments)


def _override(name: str, override: str, *fragments: str) -> BadInput:
    """Return a case of a good config with an override."""
    return _case(name, lambda: write_config(Path("c.yaml")), f"run c.yaml {override}", *fragments)


def _splits(name: str, changed: dict[str, Columns], *fragments: str) -> BadInput:
    """Return a case of a folder with train, validation and test."""

    def prepare() -> None:
        write_text_folder(Path("texts"), **changed)
        write_config(Path("c.yaml"))

    return _case(name, prepare, "run c.yaml", *fragments)


def _labels(name: str, labels: list[Any], *fragments: str, file: str = "t.csv") -> BadInput:
    """Return a case of a file whose labels are 19 times good, then these last ones."""

    def prepare() -> None:
        column = (texts(20)["label"] if isinstance(labels[-1], str) else [0, 1] * 20)[
            : -len(labels)
        ]
        if isinstance(labels[-1], list):
            column = [[label] for label in column]
        write_table(Path(file), {"text": texts(20)["text"], "label": [*column, *labels]})
        write_config(Path("c.yaml"), data=file)

    return _case(name, prepare, "run c.yaml", *fragments)


def _file(name: str, file: str, content: str, *fragments: str) -> BadInput:
    """Return a case of data in one file with this content."""

    def prepare() -> None:
        Path(file).write_text(content)
        write_config(Path("c.yaml"), data=file)

    return _case(name, prepare, "run c.yaml", *fragments)


def _image(name: str, damage: Callable[[Path], object], *fragments: str) -> BadInput:
    """Return a case of an image folder in which one file is damaged."""

    def prepare() -> None:
        damage(write_images(Path("pictures")) / "cat" / "3.png")
        keys = {"task": "image-classification", "data": "pictures", "checkpoint": "./resnet"}
        write_config(Path("c.yaml"), **keys)

    return _case(name, prepare, "run c.yaml", "broken image at row 2 of train", "3.", *fragments)


def _checkpoint(name: str, damage: Callable[[Path], object], *fragments: str) -> BadInput:
    """Return a case of a BERT folder that is damaged."""

    def prepare() -> None:
        damage(Path("bert"))
        write_config(Path("c.yaml"))

    return _case(name, prepare, "run c.yaml", "./bert", *fragments)


def _source(name: str, source: Any, *fragments: str) -> BadInput:
    """Return a case of source data for a good config."""

    def prepare() -> None:
        write_images(Path("pictures"))
        write_config(Path("c.yaml"), controls="permuted-source", source_data=source)

    return _case(name, prepare, "run c.yaml", *fragments)


def _labels_of(name: str, source: str, *fragments: str) -> BadInput:
    """Return a case of a good config that trains on the labels of a source."""

    def prepare() -> None:
        write_text_folder(
            Path("strange"), train=texts(20, classes=("poor", "fine")), validation=None, test=None
        )
        write_text_folder(Path("untested"), test=None)
        data = "untested" if source == "texts" else "texts"
        write_config(Path("c.yaml"), labels="source", source_data=source, data=data)

    return _case(name, prepare, "run c.yaml", *fragments)


def _yaml(name: str, content: str, *fragments: str) -> BadInput:
    return _case(name, lambda: Path("c.yaml").write_text(content), "run c.yaml", *fragments)


def _folder(name: str, command: str, *fragments: str, config: str | None = None) -> BadInput:
    """Return a case of a run folder, empty or with this config.json."""

    def prepare() -> None:
        Path("run").mkdir()
        if config is not None:
            Path("run/config.json").write_text(config)

    return _case(name, prepare, command, *fragments)


def _cut(path: Path, size: int = 200) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _cut_jpeg(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").save(path.with_suffix(".jpg"))
    path.unlink()
    _cut(path.with_suffix(".jpg"), 400)


def _only(name: str, per_class: int, start: int) -> Columns:
    return texts(per_class, start=start, classes=[name])


def _with_null() -> Columns:
    columns = texts(20)
    return {**columns, "text": [*columns["text"][:7], None, *columns["text"][8:]]}


_WHOLE = "a class name or a whole number from 0"
_ONE = {"train": _only("bad", 20, 0), "validation": _only("bad", 5, 20)}
_OTHER = {"words": texts(10)["text"], "label": texts(10)["label"]}

_DATA = (
    _config("no such data", {"data": "./no.csv"}, "no such file or folder: ./no.csv"),
    _config("data of an unknown kind", {"data": "c.yaml"}, "unknown kind: ", "c.yaml", ".parquet"),
    _config("unknown packaged data", {"data": "sample:docs"}, "'sample:docs'", "sample:docstrings"),
    _config("data out of reach", {"data": "no/body"}, "cannot read the data no/body", "Hub"),
    _config("folder without data", {"data": "empty"}, "cannot read the data ./empty", "put the"),
    _splits("empty split", {"validation": {"text": [], "label": []}}, "validation is empty"),
    _splits("other columns", {"test": _OTHER}, "columns words, label, the one before text, label"),
    _splits("no text in a row", {"train": _with_null()}, "row 7 of train (text) holds nothing"),
    _splits("one class", {**_ONE, "test": _only("bad", 9, 30)}, "train holds one class only: bad"),
    _splits(
        "a class not in validation", {"validation": _ONE["validation"]}, "no example of 'good'"
    ),
    _splits(
        "a class not in train",
        {"validation": texts(5, start=60, classes=(*CLASSES, "new"))},
        "train has no example of 'new'",
    ),
    _labels("missing name", ["bad", None, "good"], "row 38 of train has no label", _WHOLE),
    _labels("missing number", [None, 1], "row 38 of train has no label", "label the row or drop"),
    _labels("fraction as label", [0.5], "row 39 of train has the label 0.5", "regression"),
    _labels("hidden label", [-1], "row 39 of train has the label -1", "hidden", "data.test_split"),
    _labels("label lists", [[0, 1]], "several labels: [0]", "multi-label", file="t.parquet"),
    _file("table without rows", "t.csv", "text,label\n", "t.csv: it holds no rows"),
    _file("empty json", "t.json", "", "t.json: it holds no rows"),
    _file("broken json", "t.jsonl", '{"text": ', "cannot parse the data t.jsonl: JSON parse error"),
    _file(
        "ragged table", "t.csv", "text,label\na,b\nc,d,e\n", "Expected 2 fields in line 3, saw 3"
    ),
    _override("wrong text column", "data.text=txt", "no 'txt' column among: text", "set data.text"),
    _override("wrong label column", "data.label=y", "no 'y' column among: text", "set data.label"),
    _override("label as text", "data.text=label", "the column 'label' is to be read as input"),
    _override("missing split", "data.test_split=exam", "no split 'exam'", "one of train, valid"),
    _override("too few examples", "data.train_examples=1", "cannot give 1 for train"),
    _image("cut png", _cut, "3.png (image file is truncated)"),
    _image("cut jpeg", _cut_jpeg, "3.jpg (Truncated File Read)"),
    _image("text as image", lambda path: path.write_text("no"), "3.png (the content is no image)"),
)
_CHECKPOINTS = (
    _config("unknown packaged model", {"checkpoint": "sample:bert"}, "'sample:bert'", "minilm"),
    _config("no such checkpoint", {"checkpoint": "./no"}, "no such checkpoint folder: ./no"),
    _config("no checkpoint name", {"checkpoint": "a b"}, "'a b' is no checkpoint name"),
    _config("checkpoint out of reach", {"checkpoint": "no/body"}, "no/body", "cannot be reached"),
    _config("checkpoint of images", {"checkpoint": "./resnet"}, "./resnet cannot be loaded"),
    _checkpoint("no config", lambda bert: (bert / "config.json").unlink(), "no config.json"),
    _checkpoint("no weights", lambda bert: (bert / "model.safetensors").unlink(), "*.safetensors"),
    _checkpoint(
        "pickled weights",
        lambda bert: (bert / "model.safetensors").rename(bert / "pytorch_model.bin"),
        "holds no *.safetensors, only pytorch_model.bin",
    ),
    _checkpoint("cut weights", lambda bert: _cut(bert / "model.safetensors"), "cannot be loaded"),
    _checkpoint(
        "no tokenizer",
        lambda bert: [file.unlink() for file in bert.glob("token*")],
        "holds no vocabulary of a tokenizer",
    ),
)
_KEYS = (
    _case("no such config", lambda: None, "run no.yaml", "cannot read no.yaml", "check the path"),
    _yaml("repeated key", "task: a\nseeds: 2\ntask: b\n", "line 3: the key 'task' appears twice"),
    _yaml("broken YAML", "task: [\n", "cannot parse c.yaml", "line 2, column 1"),
    _yaml("no mapping", "- task\n", "c.yaml holds ['task']", "write key: value lines"),
    _config("missing key", {"run_folder": None}, "no run_folder", "run_folder=..."),
    _override("unknown key", "chekpoint=x", "unknown key chekpoint; did you mean 'checkpoint'?"),
    _override("nested key", "data.lable=y", "unknown key data.lable; did you mean 'label'?"),
    _override("no value", "seeds", "the override 'seeds'", "key=value"),
    _override("text for a number", "seeds=many", "seeds[0]: expected a whole number, got 'many'"),
    _override("part of a seed", "batch_size=1.5", "batch_size: expected a whole number, got 1.5"),
    _override("truth for a number", "margin=true", "margin: expected a number, got True"),
    _override("number for keys", "training=5", "training: expected a mapping, got int"),
    _override("list as data", "data=[a]", "data: ['a']", "a path or Hub name"),
    _override("seed twice", "seeds=[1,1]", "seeds: [1, 1]", "each once"),
    _override("looks that fall", "looks=[5,3]", "looks: [5, 3]", "increasing", "looks=[3,5,10]"),
    _override("looks without seeds", "looks=[3,5]", "looks: [3, 5] with 2 seeds", "seeds=5"),
    _override("budget without looks", "control_budget_minutes=5", "control_budget_minutes: 5.0"),
    _override("size of nothing", "data.image_size=0", "data.image_size: 0", "above 0"),
    _override(
        "unknown task", "task=sorting", "task: expected 'text-classification' or", "'sorting'"
    ),
    _override("unknown schedule", "schedule.name=linear_prob", "did you mean 'linear_probe'?"),
    _override("no such layer", "schedule={phases:[{train:[layr.*]}]}", "'layr.*'", "layer.0"),
    _override("training key", "training.learning_rte=1", "training.learning_rte; did you mean"),
    _override("training key gone", "training.no_cuda=true", "unknown key training.no_cuda"),
    _override("training key owned", "training.seed=3", "training.seed is set", "`seeds`"),
    _override("training value", "training.num_train_epochs=ten", "num_train_epochs: 'ten'"),
    _override("unknown watch", "watch=wran", "watch: expected 'off' or 'warn'", "got 'wran'"),
    _override("patience of none", "watch_patience=0", "watch_patience: 0", "a number above 0"),
    _override(
        "examples without end", "report_examples=50", "report_examples: 50", "expected: 0 to 20"
    ),
    _override("unknown metric", "metric=acuracy", "'acuracy'; did you mean 'accuracy'?"),
    _override(
        "unknown control", "controls=scratch", "controls: scratch; did you mean 'from-scratch"
    ),
    _override("unknown score", "rank_scores=logm", "unknown score 'logm'; did you mean 'logme'?"),
    _override("two processes", "processes=2", "1 process running", "--num_processes 2"),
    _override(
        "below a file", "run_folder=c.yaml/run", "cannot write c.yaml/run/config.json: Not a"
    ),
)
_FOLDERS = (
    _folder("publish too soon", "publish run me/model", "run/report.json: No such file"),
    _folder("no run in the folder", "judge run", "cannot read run/config.json: No such file"),
    _folder(
        "damaged run", "judge run", "run/config.json is no JSON: Expecting value", config='{"a": '
    ),
    _folder("other version", "judge run", "data: required field missing", config='{"colour": 1}'),
    _folder("overrides of a folder", "run run seeds=3", "overrides seeds=3 for the run folder run"),
)
_SOURCES = (
    _override("no source", "controls=permuted-source", "permuted-source without source_data"),
    _override("no pretraining", "controls=before-pretraining", "before-pretraining of the check"),
    _override("idle source", "source_data=texts", "source_data, which none of the controls", "add"),
    _source("key of a source", {"path": "texts", "lable": "y"}, "key source_data.lable; did you"),
    _source("list as source", ["a"], "source_data: ['a']", "a path or Hub name"),
    _source("share of a source", {"path": "texts", "test_fraction": 2}, "source_data.test_fr"),
    _source("size of a source", {"path": "texts", "image_size": 9}, "source_data.image_size: 9"),
    _override("labels of no source", "labels=source", "labels: source without source_data"),
    _override("control of a source", "controls=source-only", "the control source-only without"),
    _override("choice by labels", "choose_by=entropy", "choose_by: entropy with labels: target"),
    _override("norms of no target", "adapt_batch_norm=true", "true with labels: target", "or give"),
    _override("weights of no source", "source_weights=density_ratio", "density_ratio with labels"),
    _override("unknown weights", "source_weights=density", "source_weights 'density'; did you"),
    _override("share of weights", "source_weights.least_share=2", "source_weights: {'least_share"),
    _override("pairs of no source", "objective=dann", "the objective dann without source_data"),
    _override("no such labels", "labels=none", "expected 'target' or 'source' or 'both'"),
    _labels_of("other classes in the source", "strange", "'bad', 'good'", "'fine', 'poor'"),
    _labels_of("no test rows of the target", "texts", "no split 'test', with labels: source"),
    _source("no such source", "./no.csv", "source_data: no such file or", "correct source_data.pa"),
    _source("empty source", "empty", "source_data: cannot read the data ./empty"),
    _source("source of another task", "pictures", "source_data: ", "set source_data.text"),
)
BAD_INPUTS = (*_DATA, *_CHECKPOINTS, *_KEYS, *_FOLDERS, *_SOURCES)
