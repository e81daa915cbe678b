"""The benchmark of the cached prefix runs, goes on where it stopped, and checks its results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "recipes" / "benchmarks" / "prefix.py"
WORDS = ("apple", "river", "music", "engine", "winter", "paper")
ARMS = ("forward", "frozen", "cached", "cached again")


def test_a_frozen_backbone_on_few_texts(tmp_path: Path, run_script: Callable[..., str]) -> None:
    for split, each in (("train", 8), ("validation", 2), ("test", 2)):
        rows = [
            (f"a {word} and number {i} of {split}", word) for word in WORDS for i in range(each)
        ]
        folder = tmp_path / "data" / "trec6"
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows, columns=["text", "label"]).to_parquet(folder / f"{split}.parquet")
    out = tmp_path / "results.json"
    few = ("--only", "prefix", "--datasets", "trec6", "--arms", *ARMS)
    small = ("--repeats", "1", "--epochs", "3", "--limit-rows", "40", "--threads", "1")
    arguments = (*few, *small, "--data", str(tmp_path / "data"), "--out", str(out))
    run_script(SCRIPT.name, *arguments)
    stored = json.loads(out.read_text())
    found = {each["run"]["tool"]: each["result"] for each in stored["results"]}
    assert tuple(found) == ARMS
    assert found["forward"]["rows"] == 40
    frozen, cached, again = (found[arm] for arm in ARMS[1:])
    assert [each["moved"] for each in (frozen, cached, again)] == [2, 2, 2]
    for each in (cached, again):
        assert each["steps"] == frozen["steps"] == 6
        assert each["batches"] == frozen["batches"]
        assert each["weight_difference"] < 1e-5
        assert [use["before"] for use in each["uses"]] == ["dropout"]
    # A few rows are computed anew to check the cache against.
    assert cached["uses"][0]["rows"] >= 40 > again["uses"][0]["rows"]

    run_script(SCRIPT.name, *arguments)
    assert json.loads(out.read_text()) == stored, "nothing is measured twice"

    lines = run_script(SCRIPT.name, "--table", "--out", str(out)).splitlines()
    rows_of_table = [line for line in lines if line.startswith("| frozen backbone")]
    assert len(rows_of_table) == 3
    assert all(line.count("|") == 10 for line in rows_of_table)
    goals = [line for line in lines if line.endswith(("| met |", "| missed |"))]
    assert [line.split(" | ")[1] for line in goals] == [
        "cached / forward",
        "frozen / cached",
        "largest difference of a weight, cached",
        "largest difference of a weight, cached again",
    ]
    assert all(line.endswith("| met |") for line in goals[2:])

    (position,) = (i for i, e in enumerate(stored["results"]) if e["run"]["tool"] == "cached")
    stored["results"][position]["result"]["batches"] = "0" * 16
    out.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="differ in their batches"):
        run_script(SCRIPT.name, "--table", "--out", str(out))
