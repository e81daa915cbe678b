"""Forecasts of help or harm: planted features whose answer is known, and a ranking end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from hf_transfer_plugin import DataSpec, Ranking, rank_checkpoints
from hf_transfer_plugin.records import Candidate
from hf_transfer_plugin.select.candidate_scoring import table_scores
from hf_transfer_plugin.select.forecasting import forecast_pairs, own_forecasts
from hf_transfer_plugin.select.kept_scores import Scored
from tests.select.planted import planted
from tests.tiny_runs import blind_copy, offline_cache, text_checkpoint, write_text_folder

CLEAR, FAINT, NOTHING = 1.0, 0.4, 0.0
Kind = Literal["pretrained", "random", "baseline"]


def _scored(
    name: str, kind: Kind, *signals: float, seed: int = 0, score: str = "knn_accuracy"
) -> Scored:
    """Score layers whose class means lie `signal` apart, all with the same labels."""
    _, labels = planted(0.0, examples=120, dimensions=10)
    means = np.random.default_rng(100).normal(size=(5, 10))
    rng = np.random.default_rng(seed)
    tables = [signal * means[labels] + rng.normal(size=(120, 10)) for signal in signals]
    found = table_scores(tables, labels.tolist(), [score], draws=40, seed=0, null=False)
    best = found.best if len(tables) > 1 else {}
    row = Candidate(name, kind, found.scores, best_layer=best)
    return Scored(row, found.draws, found.best_draws)


def _expected(
    networks: list[Scored], others: list[Scored], score: str = "knn_accuracy"
) -> list[str]:
    pairs = forecast_pairs(networks, others, score, 0.9)
    rows = [each.candidate for each in others]
    return [each.expected for each in own_forecasts(pairs, rows, range(len(networks)))]


@pytest.mark.parametrize("score", ["knn_accuracy", "logme"])
@pytest.mark.parametrize(
    ("own", "twin", "expected"),
    [(CLEAR, NOTHING, "help"), (NOTHING, CLEAR, "harm"), (FAINT, FAINT, "none")],
)
def test_planted_features(own: float, twin: float, expected: str, score: str) -> None:
    network = _scored("a", "pretrained", own, seed=1, score=score)
    others = [
        _scored("a", "random", twin, seed=2, score=score),
        _scored("pixels", "baseline", twin, seed=3, score=score),
    ]
    assert _expected([network], others, score) == [expected] * 2


def test_each_candidate_meets_its_own_twin_in_the_order_of_the_ranking() -> None:
    networks = [_scored("a", "pretrained", FAINT), _scored("b", "pretrained", CLEAR)]
    others = [
        _scored("a", "random", CLEAR, seed=1),
        _scored("b", "random", NOTHING, seed=2),
        _scored("pixels", "baseline", FAINT, seed=3),
    ]
    pairs = forecast_pairs(networks, others, "knn_accuracy", 0.9)
    found = own_forecasts(pairs, [each.candidate for each in others], [1, 0])
    assert [(each.checkpoint, each.baseline, each.expected) for each in found] == [
        ("b", "random", "help"),
        ("b", "pixels", "help"),
        ("a", "random", "harm"),
        ("a", "pixels", "none"),
    ]
    first = found[0]
    gap = networks[1].candidate.scores["knn_accuracy"] - others[1].candidate.scores["knn_accuracy"]
    assert first.difference == pytest.approx(gap)
    assert (first.lower + first.upper) / 2 == pytest.approx(first.difference)


def test_a_baseline_without_a_network_meets_the_best_layer() -> None:
    network = _scored("a", "pretrained", CLEAR, NOTHING, NOTHING)
    others = [
        _scored("a", "random", FAINT, FAINT, FAINT, seed=1),
        _scored("pixels", "baseline", FAINT, seed=2),
    ]
    _, plain = forecast_pairs([network], others, "knn_accuracy", 0.9)[0]
    best = network.candidate.best_layer["knn_accuracy"]
    assert plain.difference == pytest.approx(best - others[1].candidate.scores["knn_accuracy"])
    assert plain.expected == "help"


def test_a_forecast_rarely_errs_when_nothing_differs() -> None:
    wrong = 0
    for seed in range(40):
        network = _scored("a", "pretrained", FAINT, seed=3 * seed, score="logme")
        twin = _scored("a", "random", FAINT, seed=3 * seed + 1, score="logme")
        plain = _scored("pixels", "baseline", FAINT, seed=3 * seed + 2, score="logme")
        wrong += any(each != "none" for each in _expected([network], [twin, plain], "logme"))
    assert wrong <= 10


def test_a_ranking_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    blind_copy(text_checkpoint(tmp_path / "seeing"), tmp_path / "blind")
    ranking = rank_checkpoints(
        ["./blind", "./seeing", "./gone"],
        DataSpec("texts"),
        task="text-classification",
        scores=("knn_accuracy",),
        examples=40,
    )
    found = {(each.checkpoint, each.baseline): each for each in ranking.forecasts}
    every = [(name, other) for name in ("./seeing", "./blind") for other in ("random", "tfidf")]
    assert list(found) == every
    assert found["./blind", "tfidf"].expected == "harm"
    for each in ranking.forecasts:
        assert each.lower <= each.difference <= each.upper and each.score == "knn_accuracy"
    words = {"help": "beaten", "none": "level", "harm": "ahead"}
    for baseline in ranking.baselines:
        own = {"./seeing": "random", "tfidf": "tfidf"}.get(baseline.checkpoint)
        if own is not None:
            assert baseline.against_best == words[found["./seeing", own].expected]

    stored = ranking.to_json()
    assert Ranking.from_json(stored) == ranking
    del stored["forecasts"]
    assert Ranking.from_json(stored).forecasts == ()
