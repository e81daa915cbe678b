"""A multitask plan: its seeds, its grid, and that it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoImageProcessor, AutoModelForImageClassification

from hf_transfer_plugin import Adapter, MultitaskPlan, MultitaskResult, Way, run_multitask
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import DataSpec
from hf_transfer_plugin.train import multitask_training
from hf_transfer_plugin.train.multitask import check_tasks
from tests.tiny_runs import texts as texts_of
from tests.tiny_runs import write_text_folder
from tests.train.settings import Setting

Tasks = tuple[MultitaskPlan, Mapping[str, TargetData]]
WORDS = ("cast", "end")


@pytest.fixture(scope="module")
def tasks(texts: Setting, tmp_path_factory: pytest.TempPathFactory) -> Tasks:
    """A plan of two tasks with 40 and 8 training rows, and their data."""
    splits: dict[str, Any] = {
        "train": texts_of(4, classes=WORDS),
        "validation": texts_of(3, start=4, classes=WORDS),
        "test": texts_of(4, start=7, classes=WORDS),
    }
    folder = write_text_folder(tmp_path_factory.mktemp("words"), **splits)
    data = {"mood": texts.data, "word": load_data(DataSpec(str(folder)), texts.task)}
    plan = MultitaskPlan(
        task=texts.task,
        checkpoint=str(texts.checkpoint),
        tasks={name: each.spec for name, each in data.items()},
        way=Way("round_robin"),
        training={"num_train_epochs": 1, "learning_rate": 1e-3},
        batch_size=8,
        seeds=(0, 1),
    )
    return plan, data


def test_it_goes_on_from_the_seed_where_it_stopped(
    tasks: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, data = tasks
    places: dict[str, Any] = {"results": tmp_path / "r.json", "model_dir": tmp_path / "models"}
    first = run_multitask(replace(plan, seeds=(0,)), data=data, **places)
    train, seeds = multitask_training.train_tasks, []

    def counted(plan: MultitaskPlan, seed: int, *rest: Any) -> Any:
        seeds.append(seed)
        return train(plan, seed, *rest)

    monkeypatch.setattr(multitask_training, "train_tasks", counted)
    both = run_multitask(plan, data=data, **places)
    assert (
        run_multitask(plan, data=data, **places) == both == MultitaskResult.load(places["results"])
    )
    assert seeds == [1]
    for name, result in both.results.items():
        assert result.seeds[0] == first.results[name].seeds[0]
        assert result.plan == plan.of_task(name, "round-robin") and len(result.seeds) == 2
    means = [
        sum(result.seeds[seed].validation["accuracy"] for result in both.results.values()) / 2
        for seed in (0, 1)
    ]
    assert both.best_seed == max((0, 1), key=lambda seed: means[seed])
    # Another way is another run.
    run_multitask(replace(plan, way=Way(), seeds=(0,)), data=data, **places)
    assert seeds == [1, 0]


def test_the_mean_of_the_tasks_chooses_the_rate(tasks: Tasks) -> None:
    plan, data = tasks
    rates = (1e-7, 3e-3)
    longer = {"num_train_epochs": 3}
    found = run_multitask(
        replace(plan, learning_rates=rates, seeds=(0,), training=longer, adapter=None), data=data
    )
    assert list(found.grid) == ["1e-07", "0.003"]
    best = max(found.grid, key=lambda rate: found.grid[rate])
    for result in found.results.values():
        assert result.seeds[0].learning_rate == float(best)


def test_images(images: Setting, tmp_path: Path) -> None:
    plan = MultitaskPlan(
        task=images.task,
        checkpoint=str(images.checkpoint),
        tasks={"one": images.data.spec, "two": images.data.spec},
        way=Way(pcgrad=True),
        adapter=Adapter("lora", {"r": 2}),
        training={"num_train_epochs": 1, "learning_rate": 1e-3},
        batch_size=8,
        seeds=(0,),
    )
    found = run_multitask(plan, data={"one": images.data, "two": images.data}, model_dir=tmp_path)
    assert set(found.conflicts[0]) == {"one / two"}
    for name, result in found.results.items():
        assert len(result.seeds[0].predictions) == len(result.labels) == 6
        model: Any = AutoModelForImageClassification.from_pretrained(tmp_path / name)
        assert tuple(model.config.id2label.values()) == result.class_names
        AutoImageProcessor.from_pretrained(tmp_path / name)


def test_tasks_that_share_no_network(texts: Setting, images: Setting) -> None:
    with pytest.raises(ConfigError, match=r"modality: a \(text-classification\), b \(image"):
        check_tasks({"a": texts.data, "b": images.data})
    larger = replace(images.data, spec=replace(images.data.spec, image_size=64))
    with pytest.raises(ConfigError, match=r"image_size: a \(None\), b \(64\)"):
        check_tasks({"a": images.data, "b": larger})
