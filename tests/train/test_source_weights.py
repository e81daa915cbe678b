"""Plans that weigh their source: which rows come, that training reads them, and what is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_transfer_plugin import (
    Augmentation,
    Objective,
    ReweightedRows,
    SourceWeights,
    controls,
    explain,
    run,
)
from hf_transfer_plugin.data import plan_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import DataSpec, Plan
from hf_transfer_plugin.train.preparing import prepare
from hf_transfer_plugin.train.training_rows import training_rows
from tests.tiny_runs import image_checkpoint, offline_cache, texts, write_images, write_table
from tests.train.settings import calm_text_checkpoint

WEIGHTS = [
    SourceWeights("density_ratio", {"least_share": 0.3, "components": 4}),
    SourceWeights("mean_matching", {"components": 4}),
]


def _framed(rows: int, start: int) -> dict[str, Any]:
    columns = texts(rows, start=start)
    return {**columns, "text": ["film " * 8 + text for text in columns["text"]]}


def _mixed(rows: int, start: int) -> dict[str, Any]:
    """Return rows like those of the target, then as many of another look and other classes."""
    like, other = _framed(rows, start), texts(rows, start=start + 100)
    return {
        "text": [*like["text"], *other["text"]],
        "label": [*like["label"], *other["label"][::-1]],
    }


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    folder = tmp_path_factory.mktemp("weights")
    calm_text_checkpoint(folder / "bert")
    for role, rows, start in (("train", 20, 0), ("validation", 5, 20), ("test", 5, 25)):
        write_table(folder / "source" / f"{role}.parquet", _mixed(rows, start))
        write_table(folder / "target" / f"{role}.parquet", _framed(rows, start + 50))
    with pytest.MonkeyPatch.context() as patch:
        offline_cache(patch, folder / "cache")
        yield Plan(
            name="transfer",
            task="text-classification",
            checkpoint=str(folder / "bert"),
            data=DataSpec(str(folder / "target"), train_examples=6),
            source=DataSpec(str(folder / "source")),
            labels="both",
            training={"num_train_epochs": 2, "learning_rate": 1e-2},
            batch_size=8,
            seeds=(0, 1),
        )


def _drawn(plan: Plan, seed: int = 0) -> np.ndarray:
    _, prepared = prepare(plan, plan_data(plan))
    rows, _ = training_rows(plan, prepared, seed)
    assert isinstance(rows, ReweightedRows)
    return rows.row_numbers


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda each: each.name)
@pytest.mark.parametrize("labels", ["source", "both"])
def test_rows_like_the_target_come_more_often(plan: Plan, labels: Any, weights: Any) -> None:
    weighed = replace(plan, labels=labels, source_weights=weights)
    if labels == "source":  # all rows of the target, none of its labels
        spec = replace(plan.data, train_examples=None)
        weighed = replace(weighed, data=spec, choose_by="source")
    counts = np.bincount(_drawn(weighed), minlength=80)
    like, other, target = counts[:40], counts[40:80], counts[80:]
    assert like.sum() > 2 * other.sum()
    assert target.tolist() == ([1] * 6 if labels == "both" else [])
    assert like.sum() + other.sum() == 80
    assert sorted(_drawn(weighed)) != sorted(_drawn(weighed, seed=1))

    result = run(replace(weighed, seeds=(0,)))
    assert result.weighed is not None and result.weighed.rows == 80
    assert 0.3 * 80 - 1 < result.weighed.effective < 70
    plain = run(replace(weighed, source_weights=None, seeds=(0,)))
    assert plain.weighed is None
    assert result.seeds[0].steps == plain.seeds[0].steps
    assert result.seeds[0].confidences != plain.seeds[0].confidences
    if labels == "source":  # half of its rows contradict the target, and nothing else speaks
        reached = [each.seeds[0].test["accuracy"] for each in (result, plain)]
        assert reached == [1.0, 0.5]


def test_frozen_layers_are_computed_once_for_all_draws(
    plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    probe = (replace(plan.schedule[0], train=("head",)),)
    cached = replace(plan, schedule=probe, source_weights=WEIGHTS[0])
    with caplog.at_level("INFO", "hf_transfer_plugin"):
        ours = run(cached)
    computed = [int(rows) for rows in re.findall(r"(\d+) rows computed", caplog.text)]
    assert computed == [86, 0]  # 80 of the source and 6 of the target; the second seed: none
    plain = run(replace(cached, prefix_cache=False))
    for one, other in zip(ours.seeds, plain.seeds, strict=True):
        assert one.predictions == other.predictions
        np.testing.assert_allclose(one.confidences, other.confidences, rtol=1e-5)


def test_pairs_and_views_of_weighed_rows(plan: Plan, tmp_path: Path) -> None:
    weighed = replace(plan, source_weights=WEIGHTS[0], seeds=(0,))
    paired = run(replace(weighed, objective=Objective("coral")))
    assert paired.weighed is not None and paired.seeds[0].steps == 2 * 11
    pictures = write_images(tmp_path / "pictures", per_class=12)
    spec = DataSpec(str(pictures), augment=Augmentation.from_config({"name": "light", "views": 2}))
    seen = replace(
        weighed,
        task="image-classification",
        checkpoint=str(image_checkpoint(tmp_path / "resnet")),
        data=spec,
        source=DataSpec(str(write_images(tmp_path / "others", per_class=10))),
    )
    result = run(seen)
    assert result.weighed is not None and result.seeds[0].steps > 0


def test_what_is_told_and_what_controls_leave_out(plan: Plan) -> None:
    weighed = replace(plan, source_weights=WEIGHTS[0])
    told = " ".join(str(explain(weighed, train_examples=86)).split())
    assert "come as often as they look like the target's rows of train: density_ratio" in told
    for each in controls(weighed, ["source-only", "source-and-target", "target-only"]):
        assert each.source_weights is None
    (scratch,) = controls(weighed, ["from-scratch"])
    assert scratch.source_weights == weighed.source_weights


@pytest.mark.parametrize("changed", [{"labels": "target"}, {"source": None}], ids=str)
def test_a_plan_without_a_second_domain_is_refused(plan: Plan, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="source_weights or adapt_batch_norm, with labels"):
        run(replace(plan, source_weights=WEIGHTS[0], **changed))
