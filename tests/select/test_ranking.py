"""The ranking: order, failures that do not stop it, and a test split that is never read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hf_transfer_plugin import DataSpec, Ranking, load_data, rank_checkpoints
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import prepare
from hf_transfer_plugin.errors import CheckpointError, ConfigError, TransferError
from hf_transfer_plugin.select.features import layer_features
from hf_transfer_plugin.select.scores import gbc
from tests.tiny_runs import (
    blind_copy,
    image_checkpoint,
    offline_cache,
    text_checkpoint,
    texts,
    write_images,
    write_text_folder,
)


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
        [blind, "./gone", seeing],
        DataSpec("texts"),
        task="text-classification",
        scores=("logme", "knn_accuracy", "linear_probe_accuracy"),
        examples=30,
    )
    assert [each.checkpoint for each in ranking.candidates] == [seeing, blind, "./gone"]
    assert "no such checkpoint folder" in (ranking.candidates[2].error or "")
    assert [each.kind for each in ranking.baselines] == ["random", "random", "baseline"]
    assert ranking.candidates[0].scores["knn_accuracy"] == 1.0
    assert ranking.candidates[1].scores["linear_probe_accuracy"] < 0.9
    assert ranking.confidence_set == (seeing,) and ranking.confidence == 0.9
    assert ranking.findings[0] == (
        f"by logme, {seeing} is ahead of every other candidate at 90% confidence on rows like these"
    )
    for each in (*ranking.candidates[:2], *ranking.baselines):
        low, high = each.interval or (0.0, 0.0)
        assert low < each.scores["logme"] < high and each.examples == 30
    best, blinded = (each.null for each in ranking.candidates[:2])
    assert best is not None and best[0] < best[1] < ranking.candidates[0].scores["logme"]
    assert blinded is not None and ranking.candidates[0].estimated_seconds
    # Both have the same number of weights, so the size says nothing.
    assert ranking.static_prior == "parameters"
    assert [each.static_rank for each in ranking.candidates] == [1, 1, None]


def test_findings_say_when_a_baseline_does_as_well(checkpoints: tuple[str, str]) -> None:
    blind = checkpoints[1]
    scores = ("linear_probe_accuracy",)
    ranking = rank_checkpoints(
        [blind], DataSpec("texts"), task="text-classification", scores=scores, examples=30
    )
    doubts = [finding for finding in ranking.findings if "no reason to transfer" in finding]
    assert doubts == [each for each in ranking.findings if not each.endswith("by every score")]
    assert "tfidf (baseline)" in doubts[0]
    assert ranking.baselines[-1].against_best in ("ahead", "level")


def test_a_network_that_takes_no_texts_fails_alone(checkpoints: tuple[str, str]) -> None:
    """An encoder-decoder loads, but wants inputs for its decoder."""
    from transformers import T5Config, T5Model

    shutil.copytree("seeing", "t5")
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    T5Model(T5Config(vocab_size=7, decoder_start_token_id=0, **sizes)).save_pretrained("t5")
    ranking = rank_checkpoints(
        ["./t5", checkpoints[0]], DataSpec("texts"), task="text-classification", examples=30
    )
    good, bad = ranking.candidates
    assert (good.checkpoint, bad.checkpoint) == (checkpoints[0], "./t5")
    assert good.error is None and not bad.scores
    assert "./t5 gives no features of these rows: " in (bad.error or "")
    assert [each.checkpoint for each in ranking.baselines] == [checkpoints[0], "tfidf"]


# name -> (candidates, scores, what must be said)
REFUSED: dict[str, tuple[list[str], tuple[str, ...], type[TransferError], str]] = {
    "unknown score": (["./seeing"], ("logm",), ConfigError, "'logm'; did you mean 'logme'?"),
    "score of probabilities": (["./seeing"], ("leep",), ConfigError, "scores of features"),
    "no candidate": ([], ("logme",), ConfigError, "no candidate to rank"),
    "no score": (["./seeing"], (), ConfigError, "no score to rank by"),
    "no confidence": (["./seeing"], ("logme",), ConfigError, "confidence=1.5"),
    "no candidate that loads": (["./gone", "./lost"], ("logme",), CheckpointError, "./lost"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_ranked(checkpoints: tuple[str, str], name: str) -> None:
    assert len(REFUSED) == 6
    candidates, scores, kind, said = REFUSED[name]
    with pytest.raises(kind) as caught:
        rank_checkpoints(
            candidates,
            DataSpec("texts"),
            task="text-classification",
            scores=scores,
            confidence=1.5 if name == "no confidence" else 0.9,
        )
    assert said in str(caught.value)


def test_the_sample_is_stratified_and_seeded(checkpoints: tuple[str, str]) -> None:
    def rank(examples: int, seed: int) -> Ranking:
        return rank_checkpoints(
            [checkpoints[0]],
            load_data(DataSpec("texts"), "text-classification"),
            task="text-classification",
            examples=examples,
            seed=seed,
        )

    first, again, other = rank(20, 0), rank(20, 0), rank(20, 1)
    assert (first.examples, rank(1000, 0).examples, rank(1, 0).examples) == (20, 40, 2)
    assert first.candidates[0].scores == again.candidates[0].scores
    assert first.candidates[0].scores != other.candidates[0].scores
    assert first.baselines[0].scores == again.baselines[0].scores


def test_a_name_without_rows_does_not_change_the_sample(checkpoints: tuple[str, str]) -> None:
    from datasets import ClassLabel, Dataset

    names = ["bad", "good", "never"]
    columns = texts(40)
    columns["label"] = [names.index(name) for name in columns["label"]]
    rows = Dataset.from_dict(columns).cast_column("label", ClassLabel(names=names))
    rows.to_parquet("rows.parquet")
    spec = DataSpec("rows.parquet")
    assert load_data(spec, "text-classification").class_names == tuple(names)
    ranking = rank_checkpoints(
        [checkpoints[0]], spec, task="text-classification", scores=("logme",), examples=20
    )
    assert ranking.examples == 20


def test_pictures_are_ranked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_cache(monkeypatch, tmp_path)
    write_images(tmp_path / "pictures", per_class=24)
    network = str(image_checkpoint(tmp_path / "resnet"))
    spec = DataSpec(str(tmp_path / "pictures"), validation_fraction=0.2)
    scores = ("linear_probe_accuracy", "gbc")
    ranking = rank_checkpoints([network], spec, task="image-classification", scores=scores)
    assert [each.checkpoint for each in ranking.baselines] == [network, "pixels"]
    # The classes differ in brightness alone, which any pixel shows.
    assert ranking.baselines[1].scores["linear_probe_accuracy"] == 1.0
    doubt = f"by {scores[0]}, the best layer of {network} cannot be told from pixels (baseline)"
    assert any(finding.startswith(doubt) for finding in ranking.findings)
    assert ranking.baselines[1].feature_dimensions == 32 * 32 * 3
    # Layers of images differ in width: the score is the mean of theirs.
    data = load_data(spec, "image-classification")
    checkpoint = Checkpoint(network)
    prepared = prepare(checkpoint, data, ("train",))
    labels = data.labels("train")
    layers = layer_features(checkpoint, data, prepared, range(len(labels))).layers
    own = [gbc(table, labels) for table in layers.values()]
    assert len(own) > 2 and min(own) < max(own)
    assert ranking.candidates[0].scores["gbc"] == pytest.approx(np.mean(own))
    assert ranking.candidates[0].best_layer["gbc"] == pytest.approx(max(own))
    widths = sum(table.shape[1] for table in layers.values())
    assert ranking.candidates[0].feature_dimensions == widths


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
