"""The benchmark of rankings runs, goes on where it stopped, and judges orders rightly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hf_transfer_plugin.select.ranking import DEFAULT_SCORES

BENCHMARKS = Path(__file__).parents[2] / "recipes" / "benchmarks"
WORDS = ("apple", "river", "music", "engine", "winter", "paper")
CANDIDATES = ("minilm-1-layer", "minilm-2-layers")
SCORES = ("logme", "h_score", "knn_accuracy", "linear_probe_accuracy", "gbc", "nleep")
SETS = ("logme", "knn_accuracy")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "ranking.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def measure(run_script: Callable[..., str]) -> Callable[..., str]:
    return partial(run_script, "ranking.py")


def test_two_candidates_on_few_texts(tmp_path: Path, measure: Callable[..., str]) -> None:
    folder = tmp_path / "data" / "trec6"
    folder.mkdir(parents=True)
    for split, each in (("train", 8), ("validation", 2), ("test", 3)):
        rows = [
            (f"a {word} and number {i} of {split}", word) for word in WORDS for i in range(each)
        ]
        table = pd.DataFrame(rows, columns=["text", "word"])
        table["label"] = table.pop("word").map(WORDS.index)
        table.to_parquet(folder / f"{split}.parquet")
    out = tmp_path / "results.jsonl"
    few = ("--targets", "trec6", "--candidates", *CANDIDATES, "--rows", "24", "--test-rows", "18")
    small = ("--epochs", "1", "--threads", "1", "--data", str(tmp_path / "data"))
    parts = ("--only", "candidates", "tunings", "scores", "rankings", "--sets", *SETS)
    arguments = (*few, *small, *parts, "--out", str(out))
    assert "2 candidates, 1 targets, 2 fine-tunings to do" in measure(*arguments)

    stored = [json.loads(line) for line in out.read_text().splitlines()]
    assert stored[0]["environment"]["rows"] == 24
    found = {tuple(record["key"]): record["result"] for record in stored[1:]}
    tunings = [("tuning", "trec6", name, "0") for name in CANDIDATES]
    sets = [("set", "trec6", score) for score in SETS]
    scored = [("scores", "trec6"), ("last", "trec6", SCORES[0]), *sets]
    assert list(found) == [*tunings, *scored, ("ranking", "trec6")]
    for key in tunings:
        assert len(found[key]["hits"]) == 18
        assert found[key]["accuracy"] == pytest.approx(found[key]["hits"].count("1") / 18)
    apart, ranking = found["scores", "trec6"], found["ranking", "trec6"]
    assert apart["parameters"][CANDIDATES[0]] < apart["parameters"][CANDIDATES[1]]
    assert ranking["examples"] == 24
    assert ranking["set"] == found["set", "trec6", SCORES[0]]["set"]
    for score in SCORES:
        own = {name: each[score] for name, each in apart["scores"].items()}
        assert set(own) == set(CANDIDATES)
        ranked = {name: each[score] for name, each in ranking["scores"].items()}
        assert ranked == pytest.approx(own)
        if score in SETS:
            assert found["set", "trec6", score]["scores"] == pytest.approx(own)

    with out.open("a") as file:
        file.write('{"key": ["tuning", "tre')
    assert "0 fine-tunings to do" in measure(*arguments)
    assert [json.loads(line) for line in out.read_text().splitlines()] == stored

    lines = run("--table", "--out", str(out)).stdout.splitlines()
    order = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    assert [name for name in order if name in SCORES] == list(SCORES)
    goals = [line for line in lines if line.endswith(("| met |", "| missed |"))]
    assert len(goals) == 6

    stored[-1]["result"]["set"] = []
    changed = tmp_path / "changed.jsonl"
    changed.write_text("".join(json.dumps(record) + "\n" for record in stored))
    refused = run("--table", "--out", str(changed))
    assert "rank_checkpoints and its parts differ" in refused.stderr

    with pytest.raises(ValueError, match="give another --out"):
        measure(*arguments, "--epochs", "2")


@pytest.mark.parametrize(
    ("scores", "tau", "regret"),
    [
        ([1.0, 2.0, 3.0], 1.0, 0.0),
        ([3.0, 2.0, 1.0], -1.0, 40.0),
        ([5.0, 5.0, 5.0], 0.0, 20.0),
        ([1.0, 3.0, 3.0], None, 10.0),
    ],
)
def test_quality_of_an_order(
    modules: None, scores: list[float], tau: float | None, regret: float
) -> None:
    from ranking_comparison.quality import order_quality

    found = order_quality(scores, [0.5, 0.7, 0.9])
    assert found.regret == pytest.approx(regret)
    if tau is not None:
        assert found.tau == pytest.approx(tau)
    else:
        assert 0.0 < found.tau < 1.0


def test_candidates_within_the_noise_of_the_best(modules: None) -> None:
    from ranking_comparison.quality import within_noise

    best = np.arange(400) < 360
    close = best.copy()
    close[:4] = False  # 1 point: 4 rows against none, standard error 0.5 points, 1.64 of them 0.82
    assert within_noise([best, close], 0.0).tolist() == [True, False]
    swapped = close.copy()
    swapped[360:362] = True  # 0.5 points: 4 rows against 2
    assert within_noise([swapped, best], 0.0).tolist() == [True, True]
    # Seeds that differ by 1 point make the standard error 1.5 points.
    assert within_noise([best, close], 0.01).tolist() == [True, True]
    far = best & (np.arange(400) % 4 > 0)
    assert within_noise([best, far], 0.01).tolist() == [True, False]


def test_the_default_order_is_that_of_the_package(modules: None) -> None:
    from ranking_comparison.plan import ORDERING
    from tuning.source import KINDS

    assert {kind: DEFAULT_SCORES[task][0] for kind, task in KINDS.items()} == ORDERING


def test_one_fine_tuning_foretells_the_next_only_so_well(modules: None) -> None:
    from ranking_comparison.reading import Measured
    from ranking_comparison.summary import tuned_again

    def measured(*accuracies: tuple[float, ...]) -> Measured:
        """Take for each candidate its accuracy with each seed, over 10 test rows."""
        hits = tuple(np.array([np.arange(10) < 10 * each for each in own]) for own in accuracies)
        names = tuple("abc"[: len(accuracies)])
        means = np.array([np.mean(own) for own in accuracies])
        return Measured("cr", names, means, hits, {}, {}, np.ones(len(names)))

    steady = measured((0.9, 0.8), (0.7, 0.6), (0.3, 0.2))
    turned = measured((0.9, 0.2), (0.6, 0.6), (0.2, 0.9))
    found = tuned_again([steady, turned])
    assert [each.tau for each in found] == pytest.approx([1.0, -1.0])
    assert [each.regret for each in found] == pytest.approx([0.0, 70.0])
    assert tuned_again([steady, measured((0.9,), (0.6,), (0.2,))]) == []


def test_a_candidate_never_counts_where_it_saw_the_rows(modules: None) -> None:
    from ranking_comparison.plan import CANDIDATES as EVERY
    from ranking_comparison.plan import TARGETS, counted

    without = {target: set(EVERY) - set(counted(target, list(EVERY))) for target in TARGETS}
    kinds = {name: source.kind for name, source in EVERY.items()}
    leaks = {
        target: {name for name in left if kinds[name] == TARGETS[target].kind}
        for target, left in without.items()
    }
    assert {target: names for target, names in leaks.items() if names} == {
        "subj": {"minilm-subj", "minilm-sst2"},
        "sst2_sentences": {"minilm-subj", "minilm-sst2"},
        "banking77": {"minilm-banking77"},
        "ag_news_subset": {"minilm-ag-news"},
        "pacs/cartoon": {"efficientnet-cartoon"},
        "pacs/sketch": {"efficientnet-sketch"},
        "digits/mnist": {"resnet-mnist"},
        "digits/usps": {"resnet-usps"},
    }
    assert len(TARGETS) == 14
