"""The benchmark of the planner: trains what is missing, picks, and counts what was lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.test_how_benchmarks import write_texts
from tests.tiny_runs import text_checkpoint


def test_the_planner_on_few_texts(
    tmp_path: Path, run_script: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from how_comparison import places as how_places
    from planner_comparison import by_hand, picks, places

    checkpoints = {"text": str(text_checkpoint(tmp_path / "bert")), "images": "none/is-read"}
    monkeypatch.setattr(how_places, "CHECKPOINTS", checkpoints)
    few = {"cr": (how_places.Target("text", 12, 3), 100, 9)}
    monkeypatch.setattr(places, "HELD_OUT", few)
    monkeypatch.setattr(places, "_VALIDATION", None)
    monkeypatch.setattr(places, "_TEST", None)
    rates = {"full": {"text": (1e-3, 1e-4)}, "lora, lp_ft": {"text": (3e-3,)}}
    monkeypatch.setattr(by_hand, "BY_HAND", rates)
    monkeypatch.setattr(picks, "_RANKED", 12)
    write_texts(tmp_path / "data" / "cr")
    out = tmp_path / "results.jsonl"
    arguments = ("--data", str(tmp_path / "data"), "--out", str(out), "--datasets", "cr")
    run_script("planner.py", *arguments, "--seeds", "2", "--batch", "4")

    stored = out.read_text()
    found = [json.loads(line) for line in stored.splitlines()[1:]]
    picked = {record["key"][-1]: record["result"] for record in found if record["key"][0] == "pick"}
    assert picked["rules alone"]["way"] == "lora, lp_ft" and picked["rules alone"]["seconds"] == 0
    pilot = picked["with pilot"]
    short = [record["key"] for record in found if record["key"][3] == "3"]
    assert [key[4] for key in short] == ["lora, lp_ft", "lp_ft", "full", "ia3"]
    assert pilot["examples"] == 4 * (4 * 3) + 2 * (4 * 9) and pilot["seconds"] > 0
    run_script("planner.py", *arguments, "--seeds", "2", "--batch", "4")
    assert out.read_text() == stored
    page = run_script("planner.py", "--table", "--out", str(out))
    assert "**The planner, with pilot, on other sets**" in page and "**Cost of the choice**" in page


def test_what_was_lost_is_counted_over_the_seeds_of_the_pick(modules: None, tmp_path: Path) -> None:
    from how_comparison.places import Place
    from how_comparison.ways import Method
    from planner_comparison.regret import regrets
    from tuning.lines import Lines

    place = Place("trec6", 15, 9)
    lines = Lines(tmp_path / "lines.jsonl", {"batch": 4})

    def add(way: str, rate: float, tests: Mapping[int, float], validation: float) -> None:
        for seed, test in tests.items():
            key = ("training", "trec6", "15", "9", way, f"{rate:g}", "1", str(seed))
            lines.add(key, {"validation": validation, "test": test, "seconds": 2.0})

    add("full", 1e-4, {0: 0.5}, 0.6)
    add("full", 3e-4, {0: 0.8, 1: 0.6}, 0.7)
    add("ia3", 1e-2, {0: 0.7, 1: 0.9}, 0.6)
    add("lora", 1e-3, {0: 1.0}, 0.9)  # one seed is no comparison
    ways: dict[str, Any] = {
        name: Method(name, {"text": rates})
        for name, rates in {"full": (1e-4, 3e-4), "ia3": (1e-2,), "lora": (1e-3,)}.items()
    }
    (found,) = regrets({place: {"way": "full", "rate": 3e-4}}, [(lines, ways)])
    assert (found.best[0], found.chosen[0]) == ("ia3", "full")
    assert (found.to_best, found.to_chosen) == (pytest.approx(10), pytest.approx(0))
    assert (found.seeds, found.by_hand) == (2, (4 * 9 * 4, 8.0))
    assert not regrets({place: {"way": "full", "rate": 1e-3}}, [(lines, ways)])
