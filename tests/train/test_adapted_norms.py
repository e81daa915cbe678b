"""A plan whose batch norms take the statistics of the target when it has trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from hf_transfer_plugin import Adapter, Objective, adapt_batch_norm, explain, run
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import plan_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import DataSpec, Plan, RunResult
from hf_transfer_plugin.train.answers import answer
from hf_transfer_plugin.train.preparing import prepare
from tests.tiny_runs import image_checkpoint, offline_cache, text_checkpoint, write_images


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Bright pictures, and dim ones without labels."""
    folder = tmp_path_factory.mktemp("norms")
    bright = write_images(folder / "bright", per_class=12)
    for path in bright.glob("*/*.png"):
        role = "test" if int(path.stem) < 3 else "train"
        dim = folder / "dim" / role / path.parent.name
        dim.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(Image.open(path)) // 3).save(dim / path.name)
    with pytest.MonkeyPatch.context() as patch:
        offline_cache(patch, folder / "cache")
        yield Plan(
            name="transfer",
            task="image-classification",
            checkpoint=str(image_checkpoint(folder / "resnet")),
            data=DataSpec(str(folder / "dim"), image="image"),
            source=DataSpec(str(bright), image="image"),
            labels="source",
            choose_by="importance",
            training={"max_steps": 4, "eval_strategy": "no", "learning_rate": 1e-2},
            batch_size=6,
            seeds=(0,),
        )


def _run(plan: Plan, folder: Path) -> tuple[RunResult, dict[str, Any]]:
    return run(plan, model_dir=folder), load_file(folder / "model.safetensors")


@pytest.mark.parametrize("way", ["plain", "lora", "mcc", "head alone"])
def test_the_statistics_alone_differ_and_are_those_of_the_target(
    plan: Plan, way: str, tmp_path: Path
) -> None:
    if way == "lora":
        merged = Adapter("lora", {"target_modules": ["convolution"]}, "merged")
        plan = replace(plan, adapter=merged)
    elif way == "mcc":
        plan = replace(plan, objective=Objective("mcc"))
    elif way == "head alone":  # the prefix cache serves the frozen layers with the old statistics
        plan = replace(plan, schedule=(replace(plan.schedule[0], train=("head",)),))
    before, plain = _run(plan, tmp_path / "plain")
    after, adapted = _run(replace(plan, adapt_batch_norm=True), tmp_path / "adapted")
    moved = {name for name in plain if not plain[name].equal(adapted[name])}
    assert moved and all("running_" in name or "num_batches" in name for name in moved)
    assert before.seeds[0].confidences != after.seeds[0].confidences

    data = plan_data(plan)
    model = Checkpoint(str(tmp_path / "plain")).classifier(plan.task, data.class_names)
    _, prepared = prepare(plan, data, ("train", "unlabelled", "test"))
    adapt_batch_norm(model, prepared.splits["unlabelled"], prepared.collate)
    alike = answer(model, prepared, "test")
    assert after.seeds[0].predictions == alike.predictions
    np.testing.assert_allclose(after.seeds[0].confidences, alike.confidences, rtol=1e-4)


def test_explain_tells_and_a_network_without_norms_is_refused(plan: Plan, tmp_path: Path) -> None:
    adapted = replace(plan, adapt_batch_norm=True)
    assert "BatchNorms take the statistics of the target" in str(explain(adapted))
    texts = replace(adapted, task="text-classification", checkpoint=str(text_checkpoint(tmp_path)))
    with pytest.raises(ConfigError, match="a model without BatchNorm"):
        explain(texts, train_examples=10)
