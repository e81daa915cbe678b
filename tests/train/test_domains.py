"""Plans of two domains: what they read, what they keep, and that no label of the target leaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_transfer_plugin import Objective, SourceWeights, controls, run
from hf_transfer_plugin.data import plan_data
from hf_transfer_plugin.records import DataSpec, Plan, RunResult
from tests.tiny_runs import CLASSES, offline_cache, texts, write_table
from tests.train.settings import calm_text_checkpoint

TRAINING: dict[str, Any] = {
    "num_train_epochs": 3,
    "learning_rate": 1e-2,
    "lr_scheduler_type": "constant",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A source, and a target that names columns and counts classes in another way."""
    folder = tmp_path_factory.mktemp("domains")
    calm_text_checkpoint(folder / "bert")
    for role, rows, start in (("train", 20, 0), ("validation", 5, 20), ("test", 5, 25)):
        write_table(folder / "source" / f"{role}.parquet", texts(rows, start=start))
        for name, labels in _targets(texts(rows, start=start + 50)["label"]).items():
            inputs = [f"the {text} end" for text in texts(rows, start=start + 50)["text"]]
            columns = {"review": inputs, "label": labels}
            if name == "hidden" and role != "test":
                columns["label"] = ["?"] * len(labels)
            if role == "test":
                columns["label"] = texts(rows)["label"]
            write_table(folder / name / f"{role}.parquet", columns)
    with pytest.MonkeyPatch.context() as patch:
        offline_cache(patch, folder / "cache")
        yield folder


def _targets(labels: list[str]) -> dict[str, list[str]]:
    permuted = np.random.default_rng(0).permutation(labels).tolist()
    assert permuted != labels
    return {"target": labels, "permuted": permuted, "hidden": labels}


def _plan(place: Path, target: str = "target", **changed: Any) -> Plan:
    keys: dict[str, Any] = {
        "name": "transfer",
        "labels": "source",
        "choose_by": "entropy",
        "training": TRAINING,
        "batch_size": 8,
        "seeds": (0, 1),
        **changed,
    }
    return Plan(
        task="text-classification",
        checkpoint=str(place / "bert"),
        data=DataSpec(str(place / target)),
        source=DataSpec(str(place / "source")),
        **keys,
    )


def _bytes(result: RunResult) -> str:
    """Return all of a result but the clock and the name of the folder."""
    seeds = tuple(replace(seed, wall_seconds=0.0, cost=None) for seed in result.seeds)
    return str(replace(result, plan=replace(result.plan, data=DataSpec("")), seeds=seeds).to_json())


@pytest.mark.parametrize(
    "reads",
    [{"objective": Objective("dann")}, {"source_weights": SourceWeights("density_ratio")}],
    ids=lambda each: next(iter(each)),
)
def test_labels_of_the_target_change_nothing(place: Path, reads: dict[str, Any]) -> None:
    training = {**TRAINING, "num_train_epochs": 2}
    found = [
        run(_plan(place, name, **reads, training=training, seeds=(0,)))
        for name in ("target", "permuted", "hidden")
    ]
    assert len({_bytes(each) for each in found}) == 1
    assert found[0].labels == tuple(CLASSES.index(y) for y in texts(5)["label"])
    (once,) = controls(_plan(place, "permuted"), ["per-domain-standardised"])
    (other,) = controls(_plan(place, "hidden"), ["per-domain-standardised"])
    assert _bytes(run(once)) == _bytes(run(other))


def test_the_target_trains_where_it_is_asked_for(place: Path) -> None:
    plain, paired = (
        run(_plan(place, objective=each, seeds=(0,))) for each in (None, Objective("coral"))
    )
    # 40 rows of the source, and as many pairs; the term moves the weights another way.
    assert plain.seeds[0].steps == paired.seeds[0].steps == 15
    assert plain.seeds[0].confidences != paired.seeds[0].confidences
    both = plan_data(_plan(place, labels="both", choose_by=None))
    assert [len(both.splits[role]) for role in ("train", "validation", "unlabelled")] == [
        80,
        10,
        40,
    ]
    few = replace(
        _plan(place, labels="both"), data=DataSpec(str(place / "target"), train_examples=4)
    )
    data = plan_data(few)
    assert (len(data.splits["train"]), len(data.splits["unlabelled"])) == (44, 40)
    assert data.splits["train"].column_names == ["review", "label"]
    assert sorted(data.splits["train"]["label"][40:]) == [0, 0, 1, 1]
    assert set(data.splits["unlabelled"]["label"]) == {-100}


def test_each_batch_of_an_evaluation_has_labelled_rows(place: Path) -> None:
    data = plan_data(_plan(place))
    labels = data.splits["choice"]["label"]
    assert labels.count(-100) == 10 and len(labels) == 20
    assert all({-100} < set(labels[start : start + 4]) for start in range(0, 20, 4))
    assert data.class_names == CLASSES
    assert data.summary.counts["train"] == (20, 20) and data.summary.counts["test"] == (5, 5)


def test_the_weights_of_the_chosen_evaluation_are_kept(place: Path) -> None:
    kept = {}
    for by in ("source", "information", "entropy", "density"):
        (seed,) = run(_plan(place, choose_by=by, seeds=(0,))).seeds
        values = [each.validation if by == "source" else each.label_free[by] for each in seed.curve]
        best = min(values) if by == "entropy" else max(values)
        chosen = seed.curve[values.index(best)]
        assert (seed.kept_step, seed.validation["accuracy"]) == (chosen.step, chosen.validation)
        assert abs(seed.validation["choice"]) == best
        assert all(loss == loss for loss in (each.validation_loss for each in seed.curve))
        kept[chosen.epoch] = seed.confidences
    # At a constant rate a shorter run ends with the same weights.
    epochs, confidences = min(kept.items())
    assert epochs < TRAINING["num_train_epochs"]
    short = _plan(place, seeds=(0,), training={**TRAINING, "num_train_epochs": epochs})
    assert run(replace(short, choose_by="source")).seeds[0].confidences == confidences
