"""Baselines reach what a reader can work out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hf_transfer_plugin import Plan, run
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import RunResult
from hf_transfer_plugin.train import baselines
from tests.train.settings import Setting


def _run(setting: Setting, name: str, data: TargetData | None = None) -> RunResult:
    plan = Plan(name, setting.task, f"baseline:{name}", setting.data.spec, seeds=(3, 4, 5))
    return run(plan, data=data or setting.data)


def _skewed(data: TargetData) -> TargetData:
    """Leave out most good texts of train, and some of test: 20 and 4, then 10 and 5."""
    splits = dict(data.splits)
    for role, kept in (("train", 4), ("test", 5)):
        labels = data.labels(role)
        good = [row for row, label in enumerate(labels) if label == 1]
        rows = sorted({*range(len(labels))} - {*good[kept:]})
        splits[role] = splits[role].select(rows)
    return replace(data, splits=type(data.splits)(splits))


def test_majority_is_the_share_of_the_frequent_class(texts: Setting) -> None:
    result = _run(texts, "majority", _skewed(texts.data))
    assert result.scores() == (10 / 15,) * 3
    assert set(result.seeds[0].predictions) == {0}
    assert result.seeds[0].confidences == pytest.approx([20 / 24] * 15)
    assert (result.parameters, result.trainable_parameters) == (0, 0)


@pytest.mark.parametrize(
    ("setting", "name"), [("texts", "tfidf-logistic"), ("images", "pixels-logistic")]
)
def test_logistic_learns_the_planted_signal(
    setting: str, name: str, request: pytest.FixtureRequest
) -> None:
    made: Setting = request.getfixturevalue(setting)
    result = _run(made, name)
    assert result.scores() == (1.0,) * 3
    assert result.labels == made.data.labels("test") == result.seeds[0].predictions
    assert result.class_names == made.data.class_names
    assert result.parameters == result.trainable_parameters > 2
    assert [each.seed for each in result.seeds] == [3, 4, 5]
    assert result.best_seed == 3 and result.data == made.data.summary.fingerprint
    assert {(each.learning_rate, each.steps, each.curve) for each in result.seeds} == {(0.0, 0, ())}


def test_more_seeds_are_not_fitted_again(
    texts: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan("tfidf", texts.task, "baseline:tfidf-logistic", texts.data.spec, seeds=(3, 4))
    first = run(plan, data=texts.data, results=tmp_path / "tfidf.json")
    monkeypatch.setattr(baselines, "_logistic", None)
    more = replace(plan, seeds=(3, 4, 5))
    result = run(more, data=texts.data, results=tmp_path / "tfidf.json")
    assert result.seeds == (*first.seeds, replace(first.seeds[0], seed=5))
    assert replace(result, plan=plan, seeds=first.seeds) == first
    assert RunResult.load(tmp_path / "tfidf.json") == result


def test_labels_turned_round_make_all_wrong(images: Setting) -> None:
    """What a baseline reaches comes from train and validation alone."""
    splits = dict(images.data.splits)
    for role in ("train", "validation"):
        turned = [1 - label for label in images.data.labels(role)]
        splits[role] = splits[role].remove_columns("label").add_column("label", turned)
    data = replace(images.data, splits=type(images.data.splits)(splits))
    assert _run(images, "pixels-logistic", data).scores() == (0.0,) * 3


@pytest.mark.parametrize(
    ("setting", "name", "fragments"),
    [
        ("texts", "tfidf-logistik", ["unknown baseline 'tfidf-logistik'", "'tfidf-logistic'?"]),
        ("texts", "pixels-logistic", ["'pixels-logistic' for text-classification", "majority"]),
        ("images", "tfidf-logistic", ["'tfidf-logistic' for image-classification", "pixels"]),
    ],
)
def test_unknown_baselines(
    setting: str, name: str, fragments: list[str], request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ConfigError) as caught:
        _run(request.getfixturevalue(setting), name)
    assert all(fragment in str(caught.value) for fragment in fragments), caught.value
