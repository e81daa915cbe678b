"""Tables of the docs say what the committed records of their commands say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import judge
from hf_transfer_plugin.comparisons.clustering import ClusterComparison
from hf_transfer_plugin.layer_profile_record import LayerProfile
from hf_transfer_plugin.records import RunResult

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "recipes" / "results"
CLUSTERS = {"trec6-clusters": "tfidf", "photo-clusters": "pixels"}
SCORES = {
    "adjusted_rand": "adjusted Rand",
    "mutual_information": "mutual information",
    "accuracy": "accuracy",
}
WAYS = ("source-only", "source-and-target", "density-ratio", "mean-matching", "tradaboost")


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def short(value: float, form: str = ".3f") -> str:
    return f"{value:{form}}".replace("0.", ".", 1)


def apart(verdict: Any) -> str:
    found = (short(each, "+.3f") for each in (verdict.difference, verdict.lower, verdict.upper))
    difference, lower, upper = found
    return f"{difference} [{lower}, {upper}]"


@pytest.mark.parametrize("run", CLUSTERS)
def test_clusters(run: str) -> None:
    found, text = ClusterComparison.load(RESULTS / run / "clusters.json"), page("clustering")
    for score, name in SCORES.items():
        means = {
            key: sum(values[score]) / len(values[score]) for key, values in found.scores.items()
        }
        cells = [name, short(means["transferred"])]
        for other in (CLUSTERS[run], "random-weights"):
            cells += [short(means[other]), apart(found.verdicts[f"{other} {score}"])]
        assert f"| {' | '.join(cells)} |" in text
    assert f"The silhouette chooses {found.chosen} clusters" in text


@pytest.mark.parametrize("run", ["electronics-to-books", "photo-to-sketch"])
def test_instances(run: str) -> None:
    text = page("instances")
    results = {path.stem: RunResult.load(path) for path in (RESULTS / run).glob("*.json")}
    assert set(results) == {"target-only", *WAYS}
    alone = results["target-only"]
    assert f"| target-only | {short(sum(alone.scores()) / len(alone.scores()))} | | |" in text
    for way in WAYS:
        verdict = judge(results[way], alone)
        mean = short(sum(results[way].scores()) / len(results[way].scores()))
        assert f"| {way} | {mean} | {apart(verdict)} | {verdict.outcome} |" in text


def test_layer_profile() -> None:
    found = LayerProfile.load(RESULTS / "trec6-profile" / "layer_profile.json")
    text = page("layer_profile")
    for each in found.layers:
        halves = [(each.upper - each.lower) / 2, (each.random_upper - each.random_lower) / 2]
        cells = f"{each.score:.3f} ± {halves[0]:.3f} | {each.random:.3f} ± {halves[1]:.3f}"
        note = "below best " if each.below_best else "best " if each.layer == found.best else ""
        assert f"{cells} | {note}|" in text
