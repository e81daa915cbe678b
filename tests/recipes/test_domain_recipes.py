"""The recipe that ranks sources, and the benchmark of domains: what is trained and what is told."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_runs import offline_cache, text_checkpoint, texts, write_config, write_text_folder
from tests.train.masked_checkpoints import encoder

ROOT = Path(__file__).parents[2]


def test_sources_are_ranked_beside_what_they_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    offline_cache(monkeypatch, tmp_path)
    write_text_folder(Path("texts"))
    write_text_folder(Path("same"))
    words = texts(20, start=70)
    other = {"text": [f"cast {text} end" for text in words["text"]], "label": words["label"]}
    write_text_folder(Path("other"), train=other)
    text_checkpoint(Path("bert"))
    keys = {"labels": "source", "source_data": "same", "controls": ["majority"]}
    write_config(Path("c.yaml"), **keys, batch_size=8, rank_examples=40)
    recipe = str(ROOT / "recipes" / "domain_sources.py")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", [recipe, "--config", "c.yaml", "--sources", "other", "same"])
    runpy.run_path(recipe, run_name="__main__")
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if line.startswith("│")]
    # The target's own rows cannot be told apart from it.
    assert ["same" in rows[0], "other" in rows[1]] == [True, True], said
    assert "0.00" in rows[0] and all("helped" in row or "inconclusive" in row for row in rows)
    assert {each.name for each in Path("run").iterdir()} == {"source-0", "source-1"}
    assert (Path("run") / "source-1" / "report.html").is_file()


def test_the_benchmark_trains_what_is_missing(
    tmp_path: Path, run_script: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:

    from domain_comparison import places
    from domain_comparison.ways import PRETRAINED

    network = encoder(tmp_path / "bert", words=("bad", "good", "film"))
    monkeypatch.setattr(places, "CHECKPOINTS", {"text": str(network)})
    tiny = replace(
        places.GROUPS["blitzer_amazon"],
        pairs=(("books", "dvd"),),
        batch=8,
        rates=(1e-3, 1e-2),
        max_length=16,
    )
    monkeypatch.setattr(places, "GROUPS", {"blitzer_amazon": tiny})
    for start, domain in enumerate(("books", "dvd")):
        folder = tmp_path / "data" / "blitzer_amazon" / domain
        write_text_folder(folder, train=texts(20, start=100 * start))
    out = tmp_path / "results.jsonl"
    arguments = ("--data", str(tmp_path / "data"), "--out", str(out), "--seeds", "2")
    ways = ("source only", "standardised", "coral", PRETRAINED, "8 target labels a class")
    few = ("--groups", "blitzer_amazon", "--steps", "blitzer_amazon=6", "--ways", *ways)
    run_script("domains.py", *arguments, *few)
    stored = [json.loads(line) for line in out.read_text().splitlines()]
    keys = [tuple(record["key"][5:]) for record in stored[1:]]
    assert len(keys) == len(set(keys)) == 1 + 4 * 3
    assert keys[:2] == [
        ("source only", "importance", "0.001", "1", "0"),
        ("source only", "importance", "0.01", "1", "0"),
    ]
    coral = next(r["result"] for r in stored[1:] if r["key"][5] == "coral")
    assert coral["kept_step"] in range(1, 7) and len(coral["label_free"]) == 6
    (further,) = tmp_path.glob("results-work/pretrained/blitzer_amazon/*/model.safetensors")
    assert further.parent.name == "dvd"
    run_script("domains.py", *arguments, *few)
    assert [json.loads(line) for line in out.read_text().splitlines()] == stored
    page = run_script("domains.py", "--table", "--out", str(out))
    assert (
        "**blitzer_amazon: test accuracy on the target, 6 steps, epoch chosen by importance**"
        in page
    )
    assert "**blitzer_amazon: points against standardised" in page


def test_labels_of_the_target_are_learned_once_for_all_its_sources(
    modules: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from domain_comparison import places
    from domain_comparison.arms import Trial
    from domain_comparison.settings import Settings
    from domain_comparison.training import train
    from domain_comparison.ways import CEILING

    text_checkpoint(tmp_path / "bert")
    monkeypatch.setattr(places, "CHECKPOINTS", {"text": str(tmp_path / "bert")})
    tiny = replace(
        places.GROUPS["blitzer_amazon"], pairs=(("books", "dvd"), ("kitchen", "dvd")), batch=8
    )
    monkeypatch.setattr(places, "GROUPS", {"blitzer_amazon": tiny})
    for start, domain in enumerate(("books", "dvd")):
        write_text_folder(tmp_path / "blitzer_amazon" / domain, train=texts(20, start=100 * start))
    settings = Settings(data=str(tmp_path), work=str(tmp_path), threads=1, device="processor")
    first, second = (
        train(Trial(place, CEILING, "importance", 1e-3, 1.0, 0), settings)
        for place in places.places_of(["blitzer_amazon"], {"blitzer_amazon": 6})
    )
    assert second == first and 0 <= first["test"] <= 1  # of kitchen there is no folder


def _lines(path: Path, scores: Mapping[str, Sequence[float]]) -> Any:
    from tuning.lines import Lines

    lines = Lines(path, {})
    for way, values in scores.items():
        by = "source" if way == "standardised" else "importance"
        for seed, value in enumerate(values):
            choice = (way, by, "0.003", "1", str(seed))
            for pair in (("mnist", "usps"), ("usps", "mnist")):
                key = ("training", "digits", *pair, "300", *choice)
                lines.add(key, {"choice": value, "test": value})
    return lines


def test_the_criterion_chooses_how_many_blocks_train(modules: None, tmp_path: Path) -> None:
    from domain_comparison.arms import arms_of
    from domain_comparison.places import places_of
    from domain_comparison.settings import Settings
    from domain_comparison.training import plan_of
    from domain_comparison.ways import ways
    from tuning.lines import Lines

    place = places_of(["pacs"], {})[0]
    (arm,) = arms_of([place], [ways()["mcc, blocks chosen"]], "importance")
    lines = Lines(tmp_path / "results.jsonl", {})
    first = arm.wanted(lines, 2)
    plain, *_ = arms_of([place], [ways()["mcc"]], "importance")
    assert plain.wanted(lines, 2)[0].key[5:] == ("mcc", "importance", "0.001", "1", "0")
    settings = Settings(data="d", work="w", threads=1, device="processor")
    trained = [plan_of(trial, settings).schedule[0].train for trial in first]
    assert trained == [("top:1",), ("top:3",), ("top:6",)]
    for trial, choice in zip(first, (0.90, 0.96, 0.94), strict=True):
        lines.add(trial.key, {"choice": choice, "test": 0.5})
    (second,) = arm.wanted(lines, 2)
    assert (second.blocks, second.seed) == (3, 1)
    assert second.key[-2:] == ("3 blocks", "1")
    lines.add(second.key, {"choice": 0.1, "test": 0.6})
    assert {seed: each["test"] for seed, each in arm.results(lines).items()} == {0: 0.5, 1: 0.6}


def test_pacs_is_read_at_two_sizes(modules: None) -> None:
    from domain_comparison.arms import Trial
    from domain_comparison.places import places_of
    from domain_comparison.settings import Settings
    from domain_comparison.training import plan_of

    settings = Settings(data="d", work="w", threads=1, device="processor")
    read = {}
    for place in places_of(["pacs", "pacs_224"], {}):
        data = plan_of(Trial(place, "mcc", "information", 1e-3, 1.0, 0), settings).data
        read.setdefault(data.path, []).append(data.image_size)
    assert read == {f"d/pacs/{name}": [128, 224] for name in ("art_painting", "cartoon", "sketch")}


def test_harm_and_the_bar_are_named(modules: None, tmp_path: Path) -> None:
    from domain_comparison.tables import tables

    scores = {
        "source only": [0.70, 0.71, 0.69, 0.70, 0.72],
        "standardised": [0.80],
        "mcc": [0.91, 0.92, 0.90, 0.91, 0.93],
        "dann": [0.50, 0.51, 0.49, 0.50, 0.52],
    }
    made = {table.title: table for table in tables(_lines(tmp_path / "r.jsonl", scores))}
    by = "epoch chosen by importance"
    harmed = made[f"harm against source only, {by}"].rows
    assert [row[:3] for row in harmed] == [
        ("digits", "mnist -> usps", "dann"),
        ("digits", "usps -> mnist", "dann"),
    ]
    assert all(row[3].startswith("-20") for row in harmed)
    bar = {row[0]: row[1] for row in made[f"digits: points against standardised, {by}"].rows}
    assert bar["mcc"].startswith("+11") and "*" in bar["mcc"] and bar["dann"].startswith("-29")
    goals = {row[1]: row[-1] for row in made[f"goals, over all pairs of a group, {by}"].rows}
    assert goals == {"mcc": "yes", "dann": "no"}


def test_ways_are_held_against_each_other_on_the_seeds_of_both(
    modules: None, tmp_path: Path
) -> None:
    from domain_comparison.tables import tables

    scores = {"source only": [0.70, 0.90], "AdaBN": [0.75]}
    made = {table.title: table for table in tables(_lines(tmp_path / "r.jsonl", scores))}
    by = "epoch chosen by importance"
    (goal,) = made[f"goals, over all pairs of a group, {by}"].rows
    assert goal[1] == "AdaBN" and goal[3] == "5.0"
