"""Data of every kind to the same three checked splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hf_transfer_plugin import DataSpec, load_data
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.errors import DataError
from tests.tiny_runs import (
    CLASSES,
    offline_cache,
    texts,
    write_images,
    write_table,
    write_text_folder,
)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


def _texts(spec: DataSpec) -> TargetData:
    return load_data(spec, "text-classification")


def _sizes(data: TargetData) -> tuple[int, ...]:
    return tuple(len(data.splits[role]) for role in ("train", "validation", "test"))


def _folder() -> str:
    return str(write_text_folder(Path("texts")))


def _table(suffix: str) -> Callable[[], str]:
    return lambda: str(write_table(Path(f"rows{suffix}"), texts(40)))


SOURCES: dict[str, tuple[Callable[[], str], tuple[int, int, int]]] = {
    "parquet folder": (_folder, (40, 10, 20)),
    "csv": (_table(".csv"), (56, 8, 16)),
    "tsv": (_table(".tsv"), (56, 8, 16)),
    "json": (_table(".json"), (56, 8, 16)),
    "json lines": (_table(".jsonl"), (56, 8, 16)),
    "parquet": (_table(".parquet"), (56, 8, 16)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(kind: str) -> None:
    assert len(SOURCES) == 6
    write, sizes = SOURCES[kind]
    data = _texts(DataSpec(write()))
    assert _sizes(data) == sizes
    assert data.class_names == CLASSES
    for role, counts in data.summary.counts.items():
        assert counts[0] == counts[1], role
        rows = data.splits[role]
        assert all(data.class_names[row["label"]] in row["text"].split() for row in rows)
    every = [text for rows in data.splits.values() for text in rows["text"]]
    assert len(set(every)) == len(every) and not data.summary.warnings


def test_held_out_rows_follow_from_the_seed() -> None:
    path = str(write_table(Path("rows.csv"), texts(40)))
    drawn = [_texts(DataSpec(path, seed=seed)).splits["test"]["text"] for seed in (0, 0, 1)]
    assert list(drawn[0]) == list(drawn[1]) != list(drawn[2])


def test_subsamples_keep_the_shares_of_the_classes() -> None:
    spec = DataSpec(_folder(), train_examples=10, validation_examples=4, test_examples=6)
    assert {role: tuple(c) for role, c in _texts(spec).summary.counts.items()} == {
        "train": (5, 5),
        "validation": (2, 2),
        "test": (3, 3),
    }


def test_numbers_with_gaps_are_classes_in_order() -> None:
    columns = texts(40)
    numbers = [{"bad": 7, "good": 2}[name] for name in columns["label"]]
    path = write_table(Path("rows.csv"), {"text": columns["text"], "label": numbers})
    assert _texts(DataSpec(str(path))).class_names == ("2", "7")


def test_leaks_and_missing_test_classes_are_warned_of() -> None:
    leaking = texts(10, start=25)
    leaking["text"][0] = texts(20)["text"][0]
    write_text_folder(Path("texts"), test=leaking)
    assert _texts(DataSpec("texts")).summary.warnings == ("1 test rows stand in train too",)
    only = {"text": ["bad one"], "label": ["bad"]}
    write_text_folder(Path("one"), test=only)
    (warning,) = _texts(DataSpec("one")).summary.warnings
    assert "test has no example of 'good'" in warning


# name -> (changes of the rows of train, whether the fingerprint changes)
CHANGED: dict[str, tuple[Callable[[list[str], list[str]], object], bool]] = {
    "nothing": (lambda words, labels: None, False),
    "a letter": (lambda words, labels: words.__setitem__(3, words[3] + "!"), True),
    "a label": (lambda words, labels: labels.__setitem__(3, "bad"), True),
    "the order": (lambda words, labels: (words.reverse(), labels.reverse()), True),
    "a row less": (lambda words, labels: (words.pop(), labels.pop()), True),
}


@pytest.mark.parametrize("name", CHANGED)
def test_fingerprint_follows_the_rows(name: str) -> None:
    assert len(CHANGED) == 5
    change, changes = CHANGED[name]
    first = _texts(DataSpec(_folder())).summary.fingerprint
    rows = texts(20)
    change(rows["text"], rows["label"])
    write_text_folder(Path("elsewhere"), train=rows)
    assert (_texts(DataSpec("elsewhere")).summary.fingerprint != first) is changes


def test_fingerprint_follows_nothing_but_the_rows() -> None:
    first = _texts(DataSpec(_folder())).summary.fingerprint
    more = {**texts(20), "comment": ["x"] * 40}
    others = {name: {**rows, "comment": ["y"] * len(rows["text"])} for name, rows in _others()}
    write_text_folder(Path("wide"), train=more, **others)
    for spec in (DataSpec("texts", max_length=5), DataSpec("texts", seed=3), DataSpec("wide")):
        assert _texts(spec).summary.fingerprint == first
    assert _texts(DataSpec("texts", train_examples=10)).summary.fingerprint != first


def _others() -> list[tuple[str, dict[str, list[str]]]]:
    return [("validation", texts(5, start=20)), ("test", texts(10, start=25))]


# name -> (columns beside 40 rows, spec, inputs)
COLUMNS: dict[str, tuple[dict[str, str], DataSpec, tuple[str, ...]]] = {
    "usual names": ({"sentence": "text", "category": "label"}, DataSpec("t.csv"), ("sentence",)),
    "the only text": ({"remark": "text", "label": "label"}, DataSpec("t.csv"), ("remark",)),
    "one usual name of several": (
        {"note": "text", "text": "text", "label": "label"},
        DataSpec("t.csv"),
        ("text",),
    ),
    "named": (
        {"a": "text", "b": "text", "c": "label"},
        DataSpec("t.csv", text="b", label="c"),
        ("b",),
    ),
    "named pair": (
        {"a": "text", "b": "text", "c": "label"},
        DataSpec("t.csv", text="b", text_pair="a", label="c"),
        ("b", "a"),
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    assert len(COLUMNS) == 5
    columns, spec, inputs = COLUMNS[name]
    write_table(Path("t.csv"), {column: texts(40)[kind] for column, kind in columns.items()})
    data = _texts(spec)
    assert data.inputs == inputs and data.class_names == CLASSES
    assert data.splits["test"].column_names == [*inputs, "label"]


def test_class_labels_keep_their_order() -> None:
    from datasets import ClassLabel, Dataset

    names = ["good", "bad"]
    columns = texts(40)
    numbers = [names.index(name) for name in columns["label"]]
    rows = Dataset.from_dict({"text": columns["text"], "mood": numbers, "label": ["x"] * 80})
    rows.cast_column("mood", ClassLabel(names=names)).to_parquet("rows.parquet")
    # The typed column is the label, whatever another one is called.
    data = _texts(DataSpec("rows.parquet", text="text"))
    assert data.class_names == ("good", "bad")
    assert all(names[row["label"]] in row["text"] for row in data.splits["train"])


@pytest.mark.parametrize(("missing", "sizes"), [("test", (32, 10, 8)), ("validation", (36, 4, 20))])
def test_only_the_missing_split_is_held_out(missing: str, sizes: tuple[int, ...]) -> None:
    write_text_folder(Path("texts"), **{missing: None})
    data = _texts(DataSpec("texts"))
    assert _sizes(data) == sizes
    assert set(data.splits[missing]["text"]) < set(texts(20)["text"])
    assert not data.summary.warnings


def test_splits_may_have_other_names() -> None:
    for number, name in enumerate(("fit", "check", "exam")):
        write_table(Path("rows") / f"{name}.csv", texts(10 + number, start=20 * number))
    files = {name: f"rows/{name}.csv" for name in ("fit", "check", "exam")}
    configs = [{"split": name, "path": Path(file).name} for name, file in files.items()]
    header = yaml.safe_dump({"configs": [{"config_name": "default", "data_files": configs}]})
    Path("rows/README.md").write_text(f"---\n{header}---\n")
    spec = DataSpec("rows", train_split="fit", validation_split="check", test_split="exam")
    assert _sizes(_texts(spec)) == (20, 22, 24)


def test_folders_of_pictures() -> None:
    write_images(Path("pictures"), per_class=10)
    data = load_data(DataSpec("pictures", validation_fraction=0.2), "image-classification")
    assert data.class_names == ("cat", "dog") and _sizes(data) == (12, 4, 4)
    assert data.inputs == ("image",) and data.summary.counts["test"] == (2, 2)
    for split, per_class in {"train": 8, "test": 4}.items():
        write_images(Path("parts") / split, per_class)
    parts = load_data(DataSpec("parts", validation_fraction=0.25), "image-classification")
    assert _sizes(parts) == (12, 4, 8)
    # The same generator drew the pictures of both.
    assert parts.summary.warnings and "stand in train too" in parts.summary.warnings[0]


def test_a_table_may_hold_the_paths_of_pictures() -> None:
    files = sorted(write_images(Path("pictures"), per_class=10).rglob("*.png"))
    rows = {"file": [str(file) for file in files], "kind": [file.parent.name for file in files]}
    write_table(Path("rows.csv"), rows)
    spec = DataSpec("rows.csv", image="file", label="kind", validation_fraction=0.2)
    data = load_data(spec, "image-classification")
    assert data.class_names == ("cat", "dog") and _sizes(data) == (12, 4, 4)
    assert all(picture.size == (40, 36) for picture in data.splits["train"]["file"])
    files[0].unlink()
    with pytest.raises(DataError, match="broken image at row .*0.png"):
        load_data(spec, "image-classification")


def test_classes_too_small_to_be_divided_are_an_error() -> None:
    columns = texts(20)
    columns["text"].append("one of a kind")
    columns["label"].append("rare")
    write_table(Path("rows.csv"), columns)
    with pytest.raises(DataError, match=r"41 rows of 3 classes \(the smallest has 1\) cannot give"):
        _texts(DataSpec("rows.csv"))
