"""The benchmark of schedules runs, goes on where it stopped, and makes its table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

SCRIPT = Path(__file__).parents[2] / "recipes" / "benchmarks" / "schedules.py"
WORDS = ("apple", "river", "music", "engine", "winter", "paper")


def test_two_tools_on_few_texts(tmp_path: Path, run_script: Callable[..., str]) -> None:
    for split, each in (("train", 8), ("validation", 2), ("test", 2)):
        rows = [
            (f"a {word} and number {i} of {split}", word) for word in WORDS for i in range(each)
        ]
        folder = tmp_path / "data" / "trec6"
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows, columns=["text", "label"]).to_parquet(folder / f"{split}.parquet")
    out = tmp_path / "results.json"
    few = ("--only", "others", "--datasets", "trec6", "--tools", "plugin", "trainer")
    small = ("--seeds", "1", "--examples", "24", "--epochs", "2", "--threads", "1")
    arguments = (*few, *small, "--data", str(tmp_path / "data"), "--out", str(out))
    run_script(SCRIPT.name, *arguments)
    first = json.loads(out.read_text())["results"]
    assert {each["run"]["tool"] for each in first} == {"plugin", "trainer"}
    assert all(each["result"]["steps"] == 4 for each in first)
    run_script(SCRIPT.name, *arguments)
    assert json.loads(out.read_text())["results"] == first, "nothing is trained twice"
    table = run_script(SCRIPT.name, "--table", "--out", str(out))
    assert "| trec6, 24 x 2 | FreezingCallback |" in table


def test_layouts_of_images_take_turns(run_script: Callable[..., str]) -> None:
    small = ("--networks", "tf_efficientnet_lite0", "--batch", "2", "--image-size", "64")
    table = run_script("image_layout.py", *small, "--repeats", "1")
    rows = [line.split(" | ") for line in table.splitlines() if "tf_efficientnet_lite0" in line]
    assert [row[1] for row in rows] == ["predict", "train all weights"]
    assert all(float(row[-1].strip(" |")) < 1e-4 for row in rows), "both layouts answer the same"


def test_masked_words_are_predicted_alone_and_among_all(run_script: Callable[..., str]) -> None:
    table = run_script("masked_words.py", "--lengths", "8", "--batch", "2", "--repeats", "1")
    (row,) = [line.split(" | ") for line in table.splitlines() if line.startswith("| 8 ")]
    assert float(row[-1].strip(" |")) < 1e-4, "the loss is the same"


def test_the_first_token_alone_and_all_take_turns(run_script: Callable[..., str]) -> None:
    table = run_script("first_token.py", "--lengths", "8", "--batch", "2", "--repeats", "1")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| 8 ")]
    assert [row[1] for row in rows] == ["last block", "all blocks"]
    assert all(float(row[-1].strip(" |")) < 1e-4 for row in rows), "the loss is the same"
