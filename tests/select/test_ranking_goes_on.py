"""A ranking that was killed goes on, and candidates that failed are tried again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin import DataSpec, Line, Ranking, load_config, rank_checkpoints
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.select import row_scoring
from tests.tiny_runs import (
    blind_copy,
    offline_cache,
    text_checkpoint,
    write_config,
    write_text_folder,
)

Rows = list[tuple[str, int]]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_text_folder(Path("texts"))
    blind_copy(text_checkpoint(Path("seeing")), Path("blind"))


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Note name and rows of every batch that runs through a network."""
    seen: Rows = []
    own = Checkpoint.backbone

    def backbone(self: Checkpoint, **options: Any) -> Any:
        def note(_: object, __: object, given: dict[str, Any]) -> None:
            seen.append((self.name, len(given["input_ids"])))

        model = own(self, **options)
        model.register_forward_pre_hook(note, with_kwargs=True)
        return model

    monkeypatch.setattr(Checkpoint, "backbone", backbone)
    return seen


def _rank(candidates: list[str], keep_in: str | None = "parts") -> Ranking:
    spec, task = DataSpec("texts"), "text-classification"
    scores = ("logme", "knn_accuracy")
    return rank_checkpoints(
        candidates, spec, task=task, scores=scores, examples=30, keep_in=keep_in
    )


def test_a_ranking_that_was_killed_computes_no_finished_candidate_again(
    passed: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _rank(["./seeing", "./blind"], keep_in=None)
    assert sum(rows for _, rows in passed) > 4 * 30
    shutil.rmtree("cache")
    own = row_scoring.layer_features

    def stop(checkpoint: Checkpoint, *given: Any, **options: Any) -> Any:
        if checkpoint.name == "./blind":
            raise KeyboardInterrupt
        return own(checkpoint, *given, **options)

    monkeypatch.setattr(row_scoring, "layer_features", stop)
    with pytest.raises(KeyboardInterrupt):
        _rank(["./seeing", "./blind"])
    monkeypatch.setattr(row_scoring, "layer_features", own)
    passed.clear()
    gone_on = _rank(["./seeing", "./blind"])
    assert {name for name, _ in passed} == {"./blind"}
    assert [each.scores for each in gone_on.candidates] == [e.scores for e in whole.candidates]
    assert [e.interval for e in gone_on.candidates] == [e.interval for e in whole.candidates]
    passed.clear()
    assert _rank(["./seeing", "./blind"]) == gone_on and not passed


def test_parts_of_other_weights_or_other_questions_are_not_taken(passed: Rows) -> None:
    first = _rank(["./seeing"])
    passed.clear()
    rank_checkpoints(
        ["./seeing"],
        DataSpec("texts"),
        task="text-classification",
        scores=("logme",),
        examples=20,
        keep_in="parts",
    )
    assert {name for name, _ in passed} == {"./seeing"}
    passed.clear()
    from safetensors.torch import load_file, save_file

    weights = load_file("seeing/model.safetensors")
    changed = {name: value * 1.5 for name, value in weights.items()}
    save_file(changed, "seeing/model.safetensors", metadata={"format": "pt"})
    assert _rank(["./seeing"]).candidates[0].scores != first.candidates[0].scores
    assert passed


def _line() -> Line:
    config = write_config(
        Path("config.yaml"), checkpoint="./seeing", candidates=["./late"], rank_examples=30
    )
    return Line(load_config(config))


def test_a_candidate_that_failed_is_tried_again(passed: Rows) -> None:
    line = _line()
    assert line.rank().candidates[1].error and line.rank() is line.rank()
    stored = Path("run", "ranking.json").read_bytes()
    assert Path("run", "ranking-parts").is_dir()
    passed.clear()
    assert _line().rank() == line.rank()
    assert not passed and Path("run", "ranking.json").read_bytes() == stored
    shutil.copytree("blind", "late")
    again = _line().rank()
    assert [each.error for each in again.candidates] == [None, None]
    assert {name for name, _ in passed} == {"./late"}
    assert Ranking.load("run/ranking.json") == again
    assert not Path("run", "ranking-parts").exists()
    passed.clear()
    assert _line().rank() == again and not passed


def test_a_stored_ranking_stays_when_nothing_can_be_scored_any_more() -> None:
    first = _line().rank()
    shutil.rmtree("seeing")
    assert _line().rank() == first


def test_files_of_earlier_versions_load() -> None:
    old = {
        "task": "text-classification",
        "data": "f00d",
        "score": "logme",
        "examples": 500,
        "candidates": [
            {
                "checkpoint": "org/name",
                "kind": "pretrained",
                "scores": {"logme": 0.4},
                "parameters": 10,
                "feature_dimensions": 4,
                "seconds": 1.5,
                "error": None,
            }
        ],
        "baselines": [],
        "findings": ["words"],
        "request": "abc",
    }
    found = Ranking.from_json(old)
    assert found.confidence_set == () and found.static_prior is None
    assert found.candidates[0].interval is None and found.candidates[0].declared == {}
