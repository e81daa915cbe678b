"""The benchmark of negative transfer runs, goes on where it stopped, and counts rightly."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Picture

BENCHMARKS = Path(__file__).parents[2] / "recipes" / "benchmarks"
SOURCES = ("mnist", "noise")
ENVIRONMENT = {"rates": {"images": [0.1, 0.2], "text": [0.1]}}


@pytest.fixture
def measure(run_script: Callable[..., str]) -> Callable[..., str]:
    return partial(run_script, "negative_transfer.py")


def write_pictures(folder: Path) -> None:
    """Write dark and bright pictures of noise, with their class."""
    folder.mkdir(parents=True)
    kinds = Features({"image": Image(), "label": ClassLabel(names=["dark", "bright"])})
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("validation", 8), ("test", 12)):
        labels = [number % 2 for number in range(count)]
        pictures = [
            Picture.fromarray(rng.integers(100 * label, 100 * label + 100, (8, 8), np.uint8))
            for label in labels
        ]
        rows = Dataset.from_dict({"image": pictures, "label": labels}, features=kinds)
        rows.to_parquet(folder / f"{split}.parquet")


def test_two_sources_of_few_pictures(
    tmp_path: Path, measure: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("negative_transfer_comparison.rescues.SEEDS", 2)
    for name in ("mnist", "usps"):
        write_pictures(tmp_path / "data" / "digits" / name)
    out = tmp_path / "results.jsonl"
    few = ("--targets", "digits/usps", "--sources", *SOURCES, "--sizes", "16", "--seeds", "2")
    rows = ("--source-rows", "16", "--validation-rows", "6", "--test-rows", "10")
    small = ("--steps", "2", "--image-rates", "1e-3", "3e-3", "--threads", "1", "--rescues", "1")
    arguments = (*few, *rows, *small, "--data", str(tmp_path / "data"), "--out", str(out))
    said = measure(*arguments)
    assert "2 pairs of a source and a target in a size, 2 seeds" in said
    assert "made noise" in said and "9 trainings" not in said

    stored = [json.loads(line) for line in out.read_text().splitlines()]
    assert stored[0]["environment"]["source_rows"] == 16
    found = {tuple(record["key"]): record["result"] for record in stored[1:]}
    arms = ("scratch resnet", *SOURCES)
    grid = [(arm, rate, "0") for arm in arms for rate in ("0.001", "0.003")]
    place = ("training", "digits/usps", "16")
    assert list(found)[:6] == [(*place, *each) for each in grid]
    assert [(key[3], key[5]) for key in list(found)[6:9]] == [(arm, "1") for arm in arms]
    assert [step for step, *_ in found[list(found)[0]]["curve"]] == [1, 2]
    forecast, rescue = list(found)[9:]
    assert forecast == ("forecast", "digits/usps", "16")
    forecasts = found[forecast]["forecasts"]
    assert {name: list(each) for name, each in forecasts.items()} == {
        name: ["random", "pixels"] for name in SOURCES
    }
    assert rescue[:3] == ("rescue", "digits/usps", "16") and rescue[3] in SOURCES
    assert found[rescue]["go"] or found[rescue]["rungs"]

    with out.open("a") as file:
        file.write('{"key": ["training", "dig')
    measure(*arguments)
    assert [json.loads(line) for line in out.read_text().splitlines()] == stored
    table = measure("--table", "--out", str(out))
    assert "| digits/usps | 16 |" in table and "Words of the forecast, 2 pairs" in table
    assert "Where the rescue ended" in table
    with pytest.raises(ValueError, match="give another --out"):
        measure(*arguments, "--epochs", "3")


def _lines(path: Path, accuracies: dict[str, list[float]], forecasts: dict[str, Any]) -> Any:
    """Return results whose second rate is the better one on validation."""
    from tuning.lines import Lines

    lines = Lines(path, ENVIRONMENT)
    for arm, values in accuracies.items():
        lines.add(_key(arm, 0.1, 0), {"validation": 0.1, "test": 1.0, "curve": _curve(1.0)})
        for seed, value in enumerate(values):
            found = {"validation": 0.2, "test": value, "curve": _curve(value)}
            lines.add(_key(arm, 0.2, seed), found)
    lines.add(("forecast", "digits/usps", "50"), {"forecasts": forecasts})
    return lines


def _curve(end: float) -> list[list[float]]:
    """Return 20 evaluations that climb to a value, as the callback saw them."""
    return [[step, end * step / 20, 1.0, 0.5, 0.7, 0.5, 0.7] for step in range(1, 21)]


def _key(arm: str, rate: float, seed: int) -> tuple[str, ...]:
    return ("training", "digits/usps", "50", arm, f"{rate:g}", str(seed))


def test_pairs_are_judged_at_the_rate_that_validation_chose(modules: None, tmp_path: Path) -> None:
    from negative_transfer_comparison.judged import judged_pairs
    from negative_transfer_comparison.tables import tables

    accuracies = {
        "scratch resnet": [0.5, 0.52, 0.51],
        "mnist": [0.7, 0.71, 0.72, 0.9],  # its fourth seed has no partner
        "noise": [0.3, 0.31, 0.32],
        "photo": [0.5],
    }
    ahead = {"difference": 0.2, "lower": 0.1, "upper": 0.3, "expected": "help"}
    behind = {"difference": -0.1, "lower": -0.1, "upper": -0.1, "expected": "harm"}
    forecasts = {"mnist": {"random": ahead}, "noise": {"random": behind}}
    lines = _lines(tmp_path / "lines.jsonl", accuracies, forecasts)
    found = {each.source: each for each in judged_pairs(lines)}
    assert {name: each.outcome for name, each in found.items()} == {
        "mnist": "helped",
        "noise": "harmed",
    }
    assert found["mnist"].verdict.seeds == 3
    assert found["mnist"].verdict.difference == pytest.approx(0.2)
    truth, counts, words, order, during, costs = tables(lines)
    assert truth.rows == (("digits/usps", "50", "+20.0 +", "-20.0 -"),)
    assert counts.rows[0] == ("all", "2", "1", "1", "0", "0")
    assert words.rows[0] == ("expected to help, against random", "1", "1.00", "1.00", "0")
    assert words.rows[2] == ("no forecast, against random", "0", "-", "-", "-")
    assert [row[1] for row in order.rows] == ["1.00", "1.00", "0.50"]
    # Of the two pairs one harmed; its curve is below the control's by more than 1 point all along,
    # and the third evaluation of the second half is the twelfth of 20.
    assert [row[0] for row in during.rows] == ["10%", "25%", "50%", "75%", "100%"]
    assert [row[3:] for row in during.rows[2:4]] == [
        ("0.00", "-", "-", "0.00"),
        ("0.50", "1.00", "0.00", "1.00"),
    ]
    assert costs.rows[0][0] == "a look after every seed, anytime-valid"


def test_rescues_beside_the_better_side(modules: None, tmp_path: Path) -> None:
    from negative_transfer_comparison.tables import tables

    accuracies = {
        "scratch resnet": [0.5, 0.52, 0.51],
        "mnist": [0.6, 0.7, 0.4],
        "noise": [0.3, 0.31, 0.32],
    }
    lines = _lines(tmp_path / "lines.jsonl", accuracies, {})
    begun = {"go": False, "transfer": 0.3, "control": 0.5, "outcome": "harmed"}
    rescued = {**begun, "rung": "lp-ft", "rescued": [0.48, -0.1, 0.1]}
    lines.add(("rescue", "digits/usps", "50", "noise"), rescued)
    returned = {**begun, "outcome": "inconclusive", "rung": "return-control", "rescued": None}
    lines.add(("rescue", "digits/usps", "50", "mnist"), returned)
    table = tables(lines)[-1]
    ended = "return-control 1, lp-ft 1"
    assert table.rows[0] == ("all", "2", "0.50", "0.00", "-1.0", "-2.0", ended)
    assert [row[0] for row in table.rows[1:]] == ["transfer inconclusive", "transfer harmed"]


def test_curves_of_who_knew(modules: None, tmp_path: Path) -> None:
    from negative_transfer_comparison.judged import judged_pairs
    from negative_transfer_comparison.roc_picture import roc_picture

    accuracies = {
        "scratch resnet": [0.5, 0.52, 0.51],
        "mnist": [0.7, 0.71, 0.72],
        "noise": [0.3, 0.31, 0.32],
    }
    pairs = judged_pairs(_lines(tmp_path / "lines.jsonl", accuracies, {}))
    assert roc_picture(pairs).startswith(b"\x89PNG")


def test_ways_to_a_verdict(modules: None, tmp_path: Path) -> None:
    from negative_transfer_comparison.costs import at_looks, cost_of, fixed
    from negative_transfer_comparison.judged import judged_pairs

    noise = np.random.default_rng(0).normal(0, 0.005, (3, 10))
    accuracies = {
        "scratch resnet": (0.5 + noise[0]).tolist(),
        "mnist": (0.7 + noise[1]).tolist(),
        "noise": (0.5 + noise[2]).tolist(),
    }
    pairs = judged_pairs(_lines(tmp_path / "lines.jsonl", accuracies, {}))
    clear = [each for each in pairs if each.source == "mnist"]
    assert cost_of(at_looks(3, 5, 10), clear).share == pytest.approx(0.3)
    assert cost_of(fixed(10), pairs).same == 1.0
    assert cost_of(fixed(5), pairs).share == pytest.approx(0.5)


def test_quality_of_a_forecast(modules: None) -> None:
    from negative_transfer_comparison.quality import auroc, precision_recall

    assert auroc([3.0, 2.0, 1.0], [True, True, False]) == 1.0
    assert auroc([1.0, 1.0, 2.0, 0.0], [True, False, False, True]) == pytest.approx(0.125)
    assert isnan(auroc([1.0, 2.0], [True, True]))
    said, true = [True, True, False, False], [True, False, True, True]
    assert precision_recall(said, true) == pytest.approx((1 / 2, 1 / 3))
    nothing = precision_recall([False], [True])
    assert isnan(nothing[0]) and nothing[1] == 0.0


def test_no_source_saw_the_labels_of_its_target(modules: None) -> None:
    from negative_transfer_comparison.plan import SOURCES as EVERY
    from negative_transfer_comparison.plan import TARGETS, counted, places_of

    left = {target: set(EVERY) - set(counted(target, list(EVERY))) for target in TARGETS}
    images = {name for name, source in EVERY.items() if source.kind == "images"}
    assert left["digits/mnist"] & images == {"mnist", "mnist-frozen"}
    assert left["pacs/sketch"] & images == {"sketch", "sketch-frozen"}
    assert left["pacs/photo"] & images == {"photo", "photo-frozen"}
    assert not left["pacs/cartoon"] & images and left["cr"] == images
    sizes = [(each.target, each.rows) for each in places_of(["pacs/photo"], ["mnist"], [50, 5000])]
    assert sizes == [("pacs/photo", 50)]
    (place,) = places_of(["cr"], ["minilm", "minilm-2-layers", "minilm-sst2"], [50])
    controls = {"scratch minilm", "scratch minilm-2-layers"}
    assert set(place.arms) - {"minilm", "minilm-2-layers", "minilm-sst2"} == controls
