"""The layer profile: planted features are read as they were planted, real ones end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_transfer_plugin import DataSpec, FreezingSchedule, LayerProfile, layer_profile, load_data
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.errors import CheckpointError, ConfigError, TransferError
from hf_transfer_plugin.layers import select_groups
from hf_transfer_plugin.select import profile as module
from hf_transfer_plugin.select.features import LayerFeatures
from hf_transfer_plugin.select.layer_boundary import find_boundary
from hf_transfer_plugin.select.resampling import half_samples
from hf_transfer_plugin.select.scores import SCORES
from hf_transfer_plugin.select.stratified_rows import stratified_rows
from tests.tiny_runs import offline_cache, text_checkpoint, texts, write_text_folder

GROUPS = ("embeddings", "layer.0", "layer.1", "neck")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    text_checkpoint(folder / "bert")
    write_text_folder(folder / "texts", train=texts(100), validation=texts(5, start=100))
    return folder


@pytest.fixture
def data(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TargetData:
    offline_cache(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_TL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(place)
    return load_data(DataSpec("texts", test_split="validation"), "text-classification")


class Planted:
    """Stands in for the forward pass: layers whose class signal is given, in unlike widths."""

    def __init__(self, *signals: float, random: float = 0.0) -> None:
        self.signals, self.random = dict(zip(GROUPS, signals, strict=True)), random

    def __call__(
        self, _: Any, data: TargetData, __: Any, rows: Any, *, weights: str = "", seed: int = 0
    ) -> LayerFeatures:
        labels = np.array(data.labels("train"))[list(rows)]
        layers = {}
        for place, (name, signal) in enumerate(self.signals.items()):
            random = np.random.default_rng([place, weights == "random"])
            table = random.normal(size=(len(rows), 4 + 3 * place)) * 10.0**place
            table[:, 0] += (self.random if weights == "random" else signal) * labels * 10.0**place
            layers[name] = table
        return LayerFeatures(layers, table, 7, 0.0, tuple(self.signals))


def _profile(data: TargetData, **options: Any) -> LayerProfile:
    return layer_profile(
        "./bert", data, **{"task": "text-classification", "examples": 150, **options}
    )


# name -> (signal of each layer, that of random weights, best, specific from, train)
PLANTED: dict[str, tuple[tuple[float, ...], float, str, str | None, tuple[str, ...]]] = {
    "drops in the neck": ((0.5, 1.5, 6.0, 0.3), 0.0, "layer.1", "neck", ("top:0",)),
    "drops early": ((0.5, 6.0, 0.7, 0.3), 0.0, "layer.0", "layer.1", ("top:1",)),
    "input is best": ((6.0, 1.5, 0.7, 0.3), 0.0, "embeddings", "layer.0", ("top:2",)),
    "neck is best": ((0.5, 0.7, 1.5, 6.0), 0.0, "neck", None, ("head",)),
    "random does as well": ((2.0, 2.0, 2.0, 2.2), 6.0, "", None, ("*",)),
    "nothing to read": ((0.0, 0.0, 0.0, 0.0), 0.0, "", None, ("*",)),
}


# The probe is slow: each of 40 halves of each layer is fitted five times.
SCORED = [(name, "knn_accuracy") for name in PLANTED] + [
    ("drops in the neck", "linear_probe_accuracy"),
    ("random does as well", "linear_probe_accuracy"),
]


def test_the_tables_are_whole() -> None:
    assert len(PLANTED) == 6 and len(REFUSED) == 5


@pytest.mark.parametrize(("name", "score"), SCORED)
def test_planted_layers(
    name: str, score: str, data: TargetData, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals, random, best, first, train = PLANTED[name]
    monkeypatch.setattr(module, "layer_features", Planted(*signals, random=random))
    found = _profile(data, score=score)
    assert [each.layer for each in found.layers] == list(GROUPS)
    assert [each.dimensions for each in found.layers] == [4, 7, 10, 13]
    assert found.examples == 150 and found.score == score and found.parameters == 7
    assert found.train == train
    assert found.beats_random == (train != ("*",))
    told = " ".join(found.findings)
    if best:
        assert found.best == best and found.source_specific_from == first
        assert found.freeze == GROUPS[: GROUPS.index(best) + 1]
        assert f"{best} beats the same network with random weights" in told
        assert f"{best} reads out the task best: {score}" in told
    else:
        assert found.freeze == ()
        assert "no layer beats the same network with random weights" in told
        assert "this source has nothing for this data" in told
    if first:
        assert f"from {first} on the score is lower by more than the noise" in told
        assert found.layers[GROUPS.index(first)].below_best
    for each in found.layers:
        assert each.lower < each.score < each.upper or each.score == 1.0
    FreezingSchedule.from_config(found.schedule)
    assert LayerProfile.from_json(found.to_json()) == found


@pytest.mark.parametrize("score", ["h_score", "knn_accuracy"])
def test_every_layer_is_fitted_anew_on_the_same_halves(
    score: str, data: TargetData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def noted(scores: Any, draws: Any, *others: Any, **options: Any) -> Any:
        seen.extend(draws)
        return find_boundary(scores, draws, *others, **options)

    planted = Planted(0, 6, 0, 0)
    monkeypatch.setattr(module, "layer_features", planted)
    monkeypatch.setattr(module, "find_boundary", noted)
    found = _profile(data, score=score, seed=3)
    assert found.best == "layer.0" and found.source_specific_from == "layer.1"
    rows = stratified_rows(data.labels("train"), 150, 3)
    labels = np.array(data.labels("train"))[list(rows)]
    layers = planted(None, data, None, rows).layers
    halves = half_samples(labels, seed=3)
    for draws, table in zip(seen, layers.values(), strict=True):
        anew = [SCORES[score](table[half], labels[half]) for half in halves]
        assert list(draws) == pytest.approx(anew)


def test_the_same_twice(data: TargetData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "layer_features", Planted(1, 2, 1, 1))
    one, two = (_profile(data, score="knn_accuracy") for _ in range(2))
    assert one.layers == two.layers and one.findings == two.findings


def test_a_real_network(data: TargetData) -> None:
    """Tiny, with random weights that pass for learned ones: the class word is read from any."""
    found = _profile(data, examples=60, seed=1)
    assert [each.layer for each in found.layers] == list(GROUPS)
    assert {each.dimensions for each in found.layers} == {32}
    assert found.layers[0].score > 0.9 and found.layers[0].random > 0.9
    assert not found.beats_random and found.train == ("*",)
    assert found.data == data.summary.fingerprint and found.seconds > 0


def test_the_suggestion_fits_the_classifier(
    data: TargetData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_transfer_plugin import layer_groups
    from hf_transfer_plugin.checkpoints import Checkpoint

    monkeypatch.setattr(module, "layer_features", Planted(0, 6, 0, 0))
    found = _profile(data, score="knn_accuracy")
    model = Checkpoint("./bert").classifier("text-classification", data.class_names)
    groups = layer_groups(model)
    (phase,) = FreezingSchedule.from_config(found.schedule).phases
    trained = select_groups(groups, phase.train)
    assert trained == ("layer.1", "neck", "head")
    assert (*found.freeze, *trained) == groups.names


# name -> (options, error, what must be said)
REFUSED: dict[str, tuple[dict[str, Any], type[TransferError], str]] = {
    "unknown score": ({"score": "logm"}, ConfigError, "'logm'; did you mean 'logme'?"),
    "score of probabilities": ({"score": "leep"}, ConfigError, "a score of features"),
    "confidence": ({"confidence": 1.0}, ConfigError, "between 0 and 1"),
    "no checkpoint": ({"checkpoint": "./gone"}, CheckpointError, "no such checkpoint folder"),
    "no layers": ({"checkpoint": "./bert"}, CheckpointError, "no layer of ./bert"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, data: TargetData, monkeypatch: pytest.MonkeyPatch) -> None:
    options, error, said = REFUSED[name]

    def empty(*_: Any, **__: Any) -> LayerFeatures:
        return LayerFeatures({}, np.zeros((150, 3)), 7, 0.0, GROUPS)

    monkeypatch.setattr(module, "layer_features", empty)
    with pytest.raises(error, match=said.replace("?", r"\?")):
        layer_profile(
            options.pop("checkpoint", "./bert"), data, task="text-classification", **options
        )
