"""The benchmarks of adapters and objectives train what is missing, choose rightly, and count."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from tests.tiny_runs import text_checkpoint

BENCHMARKS = Path(__file__).parents[2] / "recipes" / "benchmarks"
NAMES = ["a", "b", "c"]
WORDS = (("where is it", "who are they", "how many of them"), ("in what city", "which man", "ten"))


def write_texts(folder: Path) -> None:
    """Write questions of three classes."""
    folder.mkdir(parents=True)
    kinds = Features({"text": Value("string"), "label": ClassLabel(names=NAMES)})
    for split, count in (("train", 12), ("validation", 6), ("test", 6)):
        labels = [number % 3 for number in range(count)]
        texts = [f"{WORDS[number % 2][label]} {number}" for number, label in enumerate(labels)]
        rows = Dataset.from_dict({"text": texts, "label": labels}, features=kinds)
        rows.to_parquet(folder / f"{split}.parquet")


def test_adapters_on_few_texts(
    tmp_path: Path, run_script: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from how_comparison import costs, places, ways

    checkpoints = {"text": str(text_checkpoint(tmp_path / "bert"))}
    monkeypatch.setattr(places, "CHECKPOINTS", checkpoints)
    monkeypatch.setattr(ways, "_OF_NETWORK", {"text": (1e-3, 1e-4)})
    monkeypatch.setattr(ways, "_OF_ADAPTER", {"text": (1e-3,)})
    monkeypatch.setattr(costs, "_REPEATS", 1)
    monkeypatch.setattr(costs, "_MANY_STEPS", 4)
    monkeypatch.setattr(costs, "in_child", _here)
    write_texts(tmp_path / "data" / "trec6")
    out = tmp_path / "results.jsonl"
    arguments = ("--data", str(tmp_path / "data"), "--out", str(out), "--datasets", "trec6")
    few = ("--ways", "full", "lora", "--steps", "trec6=2", "--seeds", "2", "--threads", "1")
    run_script("adapters.py", *arguments, *few)

    stored = [json.loads(line) for line in out.read_text().splitlines()]
    assert "device" not in stored[0]["environment"]
    found = {tuple(record["key"]): record["result"] for record in stored[1:]}
    keys = [key[4:] for key in found if key[0] == "training"]
    assert keys[:2] == [("full", "0.001", "1", "0"), ("full", "0.0001", "1", "0")]
    assert keys[2][0::2] == ("full", "1") and keys[2][3] == "1"
    assert keys[3:] == [("lora", "0.001", "1", "0"), ("lora", "0.001", "1", "1")]
    lora = found["training", "trec6", "100", "2", *keys[3]]
    assert lora["device"] == "processor" and 0 < lora["trainable"] < lora["parameters"]
    assert [key[1:] for key in found if key[0] == "cost"] == [
        ("trec6", "processor", "full"),
        ("trec6", "processor", "lora"),
    ]
    run_script("adapters.py", *arguments, *few)
    assert [json.loads(line) for line in out.read_text().splitlines()] == stored
    page = run_script("adapters.py", "--table", "--out", str(out))
    assert "**trec6, 100 % of the rows, 2 steps**" in page
    assert "**Costs on trec6, processor**" in page


def _here(target: Callable[..., None], *arguments: Any) -> Any:
    """Measure in this process, which has imported what a fresh one would take seconds for."""
    answers: list[Any] = []

    class Answer:
        send = answers.append

    target(*arguments, Answer())
    return answers[0]


def _filled(path: Path, scores: Mapping[str, Mapping[tuple[float, float], list[float]]]) -> Any:
    """Return results of way -> (rate, strength) -> a score for each seed."""
    from tuning.lines import Lines

    lines = Lines(path, {})
    for way, choices in scores.items():
        for (rate, strength), values in choices.items():
            for seed, value in enumerate(values):
                key = ("training", "trec6", "15", "9", way, f"{rate:g}", f"{strength:g}", str(seed))
                weights = {"trainable": 1, "parameters": 100, "adapter_bytes": 8}
                lines.add(key, {"validation": value, "test": value, **weights})
    return lines


PLAIN = {
    (1e-4, 1.0): [0.5],
    (3e-4, 1.0): [0.7, 0.72, 0.71, 0.7, 0.73],
    (1e-3, 1.0): [0.6],
}


def test_an_objective_takes_the_rate_of_plain_and_chooses_its_strength(
    modules: None, tmp_path: Path
) -> None:
    from how_comparison.arms import arms_of
    from how_comparison.places import Place
    from how_comparison.ways import objective_ways

    ways = objective_ways()
    place = Place("trec6", 15, 9)
    _, bss = arms_of([place], [ways["full"], ways["bss"]])
    lines = _filled(tmp_path / "begun.jsonl", {"full": {(1e-4, 1.0): [0.5]}})
    assert not bss.wanted(lines, 5)  # the rate is not known yet
    lines = _filled(tmp_path / "plain.jsonl", {"full": PLAIN})
    wanted = bss.wanted(lines, 5)
    assert [(each.rate, each.strength, each.seed) for each in wanted] == [
        (3e-4, 1.0, 0),
        (3e-4, 0.1, 0),
        (3e-4, 10.0, 0),
    ]
    tried = {(3e-4, 1.0): [0.7], (3e-4, 0.1): [0.7], (3e-4, 10.0): [0.6]}
    lines = _filled(tmp_path / "tried.jsonl", {"full": PLAIN, "bss": tried})
    assert [(each.strength, each.seed) for each in bss.wanted(lines, 3)] == [(1.0, 1), (1.0, 2)]


def test_the_words_of_the_tables_are_those_of_paired_verdicts(
    modules: None, tmp_path: Path
) -> None:
    from how_comparison.adapter_tables import tables as adapter_tables
    from how_comparison.objective_tables import tables

    plain = PLAIN[3e-4, 1.0]
    ahead = [score + 0.02 + 0.001 * (seed % 2) for seed, score in enumerate(plain)]
    others = {(3e-4, 0.1): [0.1], (3e-4, 10.0): [0.1]}
    scores = {
        "full": PLAIN,
        "l2sp": {(3e-4, 1.0): ahead, **others},
        "bss": {(3e-4, 1.0): plain[:4], **others},
        "lora": {(3e-3, 1.0): ahead, (1e-3, 1.0): [0.1], (1e-2, 1.0): [0.1]},
    }
    lines = _filled(tmp_path / "lines.jsonl", scores)
    differences, goals = tables(lines)
    cells = {row[0]: row[1] for row in differences.rows}
    assert cells["full"] == "71.2 ± 1.3"
    assert cells["l2sp"].startswith("+2.0 [+2.0, +2.1] helped *")
    assert cells["bss"].startswith("+0.0 [+0.0, +0.0] equivalent (x 1)")
    assert goals.rows == (("trec6", "l2sp", "+2.0 [+2.0, +2.1] helped", "yes"),)
    accuracies, best = adapter_tables(lines)
    assert [row[0] for row in accuracies.rows] == ["full", "lora"]
    assert accuracies.rows[1][1:3] == ("0.003", "5") and best.rows[0][2:] == (
        "lora (1.00 %)",
        "+2.0 [+2.0, +2.1] helped",
        "yes",
    )
