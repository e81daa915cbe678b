"""The ranking: order, failures that do not stop it, and a test split that is never read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_transfer_plugin import DataSpec, rank_checkpoints
from hf_transfer_plugin.errors import CheckpointError
from tests.tiny_runs import blind_copy, offline_cache, text_checkpoint, texts, write_text_folder


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_text_folder(tmp_path / "texts")
    seeing = text_checkpoint(tmp_path / "seeing")
    blind_copy(seeing, tmp_path / "blind")
    return "./seeing", "./blind"


def test_order_failures_and_findings(checkpoints: tuple[str, str]) -> None:
    seeing, blind = checkpoints
    ranking = rank_checkpoints(
        [blind, "./gone", seeing], DataSpec("texts"), task="text-classification", examples=30
    )
    assert [each.checkpoint for each in ranking.candidates] == [seeing, blind, "./gone"]
    assert "no such checkpoint folder" in (ranking.candidates[2].error or "")
    assert [each.kind for each in ranking.baselines] == ["random", "random", "baseline"]
    assert ranking.candidates[0].scores["knn_accuracy"] == 1.0
    assert ranking.candidates[1].scores["linear_probe_accuracy"] < 0.9
    assert ranking.findings


def test_findings_say_when_a_baseline_does_as_well(checkpoints: tuple[str, str]) -> None:
    blind = checkpoints[1]
    scores = ("linear_probe_accuracy",)
    ranking = rank_checkpoints(
        [blind], DataSpec("texts"), task="text-classification", scores=scores, examples=30
    )
    (finding,) = ranking.findings
    assert "tfidf (baseline)" in finding and "no reason to transfer" in finding


def test_no_candidate_left_is_an_error(checkpoints: tuple[str, str]) -> None:
    with pytest.raises(CheckpointError, match="./gone"):
        rank_checkpoints(["./gone"], DataSpec("texts"), task="text-classification")


def test_test_split_is_not_read(checkpoints: tuple[str, str]) -> None:
    other = texts(10, start=300)
    other["text"] = [text + " other" for text in other["text"]]
    write_text_folder(Path("elsewhere"), test=other)
    scores = [
        rank_checkpoints([checkpoints[0]], DataSpec(path), task="text-classification", examples=30)
        .candidates[0]
        .scores
        for path in ("texts", "elsewhere")
    ]
    assert scores[0] == scores[1]
