"""The benchmark of the scores runs, goes on where it stopped, and prints facts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "recipes" / "benchmarks" / "scores.py"
SMALL = ("--examples", "300", "--dimensions", "16", "--classes", "3", "--threads", "1")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_scores_of_a_small_table(tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    arguments = (*SMALL, "--out", str(out), "--repeats", "2", "--scores")
    first = run(*arguments, "logme")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    before = json.loads(out.read_text())
    assert [each["score"] for each in before["results"]] == ["logme"] * 2

    assert run(*arguments, "logme", "leep", "--threads", "1").returncode == 0
    after = json.loads(out.read_text())
    assert after["results"][:2] == before["results"], "nothing is measured twice"
    assert [(e["score"], e["repeat"]) for e in after["results"][2:]] == [("leep", 0), ("leep", 1)]
    for each in after["results"]:
        assert min(each["seconds"], each["svd_seconds"], each["processor_seconds"]) > 0
        assert each["value"] < 10

    lines = run("--table", "--out", str(out)).stdout.splitlines()
    times = [line for line in lines if line.startswith(("| logme |", "| leep |"))]
    assert len(times) == 2
    assert all(" met |" in line or " missed |" in line for line in times)
    facts = [line for line in lines if "D=768" in line]
    assert len(facts) == 6
    assert all(line.endswith("| met |") for line in facts), facts

    other = run(*arguments, "logme", "--classes", "4")
    assert other.returncode != 0
    assert "give another --out" in other.stderr


def test_a_table_of_nothing_is_refused(tmp_path: Path) -> None:
    missing = run("--table", "--out", str(tmp_path / "none.json"))
    assert missing.returncode != 0
    assert "measure first" in missing.stderr
    assert os.listdir(tmp_path) == []
