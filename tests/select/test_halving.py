"""Successive halving: nested samples, who survives, and a ranking that spends less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_transfer_plugin import DataSpec, Ranking, rank_checkpoints
from hf_transfer_plugin.select import row_scoring
from hf_transfer_plugin.select.halving import nested_samples, split_confidence, survivors
from tests.tiny_runs import blind_copy, offline_cache, text_checkpoint, texts, write_text_folder


def test_samples_are_nested_and_stratified() -> None:
    labels = [0] * 240 + [1] * 80
    rows = list(range(1000, 1320))
    samples = nested_samples(rows, labels, seed=0)
    assert [len(sample) for sample in samples] == [80, 160, 320]
    assert set(samples[0]) < set(samples[1]) < set(samples[2]) == set(rows)
    counts = [Counter(labels[row - 1000] for row in sample) for sample in samples]
    assert [count[1] for count in counts] == [20, 40, 80]
    assert nested_samples(rows, labels, 0) == samples != nested_samples(rows, labels, 1)


# name -> (labels, sizes)
SIZES: dict[str, tuple[list[int], list[int]]] = {
    "two looks": ([0, 1] * 60, [60, 120]),
    "too few": ([0, 1] * 39, [78]),
    "many classes": (list(range(50)) * 4, [100, 200]),
    "a rare class": ([0] * 200 + [1] * 3, [203]),
}


@pytest.mark.parametrize("name", SIZES)
def test_looks_that_tell_nothing_are_left_out(name: str) -> None:
    assert len(SIZES) == 4
    labels, sizes = SIZES[name]
    assert [len(each) for each in nested_samples(range(len(labels)), labels, 0)] == sizes


def test_the_better_half_and_the_ties_survive() -> None:
    noise = np.random.default_rng(0).normal(size=(5, 100))
    assert survivors([5.0, 1.0, 3.0, 2.0, 4.0], 0.01 * noise, 0.9) == (0, 2, 4)
    assert survivors([5.0, 1.0, 3.0, 2.0, 4.0], 10 * noise, 0.9) == (0, 1, 2, 3, 4)
    assert split_confidence(0.9, 2) == pytest.approx(0.95)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Note checkpoint, weights and rows of each pass."""
    seen: list[tuple[str, str, int]] = []
    own = row_scoring.layer_features

    def noted(checkpoint: Any, data: Any, prepared: Any, rows: Any, **options: Any) -> Any:
        seen.append((checkpoint.name, options["weights"], len(rows)))
        return own(checkpoint, data, prepared, rows, **options)

    monkeypatch.setattr(row_scoring, "layer_features", noted)
    return seen


def test_a_ranking_with_halving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scored: list[tuple[str, str, int]]
) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_text_folder(Path("texts"), train=texts(100), validation=texts(5, start=100), test=None)
    blind_copy(text_checkpoint(Path("seeing")), Path("blind"))

    def rank(halving: bool) -> Ranking:
        return rank_checkpoints(
            ["./blind", "./gone", "./seeing"],
            DataSpec("texts"),
            task="text-classification",
            scores=("knn_accuracy", "logme"),
            examples=160,
            halving=halving,
        )

    halved = rank(True)
    # 40, 80 and 160 examples; what a look adds is computed, the rest is there.
    assert scored == [
        ("./blind", "pretrained", 40),
        ("./seeing", "pretrained", 40),
        ("./seeing", "pretrained", 40),
        ("./seeing", "pretrained", 80),
        *(("./seeing", "random", rows) for rows in (40, 40, 80)),
    ]
    first, dropped, failed = halved.candidates
    assert (first.checkpoint, first.examples) == ("./seeing", 160)
    assert (dropped.checkpoint, dropped.examples) == ("./blind", 40)
    assert dropped.interval is not None and dropped.error is None and failed.error
    assert [each.checkpoint for each in halved.baselines] == ["./seeing", "tfidf"]
    assert halved.confidence_set == ("./seeing",)
    whole = rank(False)
    assert whole.candidates[0].scores == pytest.approx(first.scores, abs=1e-6)
    assert whole.candidates[1].examples == 160
