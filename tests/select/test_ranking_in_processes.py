"""Two processes share the candidates and end with the ranking that one makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import Line, Ranking, load_config
from tests.tiny_runs import (
    blind_copy,
    offline_cache,
    text_checkpoint,
    write_config,
    write_text_folder,
)

ROOT = Path(__file__).parents[2]
SCRIPT = str(Path(__file__).with_name("ranking_process.py"))
NAMES = ["./bert", "./blind", "./third"]


def _launch(folder: Path) -> list[dict[str, Any]]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_TL_CACHE": str(folder / "cache-2"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, SCRIPT, "config.yaml"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    files = [folder / f"{rank}.json" for rank in range(2)]
    if not all(file.is_file() for file in files):
        pytest.fail(f"no result of each process:\n{done.stdout}\n{done.stderr}")
    return [json.loads(file.read_text()) for file in files]


def _timeless(ranking: Ranking) -> dict[str, Any]:
    found = ranking.to_json()
    for row in (*found["candidates"], *found["baselines"]):
        for name in ("seconds", "estimated_seconds", "feature_seconds"):
            del row[name]
    return found


def test_two_processes_rank_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache-1"))
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    bert = text_checkpoint(tmp_path / "bert")
    blind_copy(bert, tmp_path / "blind")
    blind_copy(bert, tmp_path / "third")
    write_config(
        tmp_path / "config.yaml",
        checkpoint="./bert",
        candidates=[*NAMES[1:], "./gone"],
        rank_examples=30,
    )
    alone = Line(load_config("config.yaml")).rank()
    first, second = _launch(tmp_path)
    assert first["again"] and second["again"]
    assert first["ranking"] == second["ranking"]
    together = Ranking.from_json(first["ranking"])
    assert _timeless(alone) == _timeless(together)
    assert [each.checkpoint for each in together.candidates][-1] == "./gone"
    # Each candidate and its twin ran once, in one process, and both had something to do.
    assert first["seen"] == [[n, w] for n in NAMES[::2] for w in ("pretrained", "random")]
    assert second["seen"] == [[NAMES[1], w] for w in ("pretrained", "random")]
    assert Ranking.load(tmp_path / "run-2" / "ranking.json") == together
