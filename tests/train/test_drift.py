"""How far the kept model moved, and what training it took."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hf_transfer_plugin.adapter_records import Adapter
from hf_transfer_plugin.records import Phase, RunResult
from hf_transfer_plugin.train.energy import package_counter
from hf_transfer_plugin.train.running import run
from tests.train.settings import Setting

FROZEN = (Phase(train=("head",)),)


def _kept(setting: Setting, folder: Path, **changed: object) -> RunResult:
    plan = setting.plan(seeds=(0,), **changed)
    result = run(plan, model_dir=folder / "model", data=setting.data)
    assert RunResult.from_json(result.to_json()) == result
    return result


def test_drift_is_that_of_the_saved_weights(texts: Setting, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    drift = _kept(texts, tmp_path).drift
    assert drift is not None and drift.whole is not None and drift.similarity is not None
    assert tuple(drift.weights) == ("embeddings", "layer.0", "layer.1", "neck")
    load = AutoModelForSequenceClassification.from_pretrained
    now, first = (
        {n: p.detach() for n, p in load(folder).named_parameters() if ".layer.1." in n}
        for folder in (tmp_path / "model", texts.checkpoint)
    )
    moved = torch.cat([(now[name] - first[name]).flatten() for name in now]).norm()
    size = torch.cat([first[name].flatten() for name in now]).norm()
    assert drift.weights["layer.1"] == pytest.approx(float(moved / size), rel=1e-4)
    assert 0 < drift.whole < 1 and 0 < drift.similarity < 1 and drift.examples == 10


def test_frozen_layers_do_not_move(images: Setting, texts: Setting, tmp_path: Path) -> None:
    drift = _kept(texts, tmp_path, schedule=FROZEN).drift
    assert drift is not None and drift.whole == 0.0
    assert drift.similarity == pytest.approx(1.0)
    drift = _kept(images, tmp_path / "images", schedule=FROZEN).drift
    assert drift is not None and drift.whole == 0.0 and drift.examples == 0  # 6 are too few


@pytest.mark.parametrize("keep", ["merged", "adapter"])
def test_adapters(keep: str, texts: Setting, tmp_path: Path) -> None:
    adapter = Adapter.from_config({"name": "lora", "r": 4, "keep": keep})
    training = {"num_train_epochs": 2, "learning_rate": 1e-1}
    drift = _kept(texts, tmp_path, adapter=adapter, training=training).drift
    assert drift is not None and drift.similarity is not None and drift.similarity < 0.99
    if keep == "merged":
        assert drift.weights["layer.0"] > 0 and drift.weights["embeddings"] == 0
    else:
        assert drift.weights == {} and drift.whole is None


def test_random_weights_and_models_that_are_not_kept_have_no_drift(
    texts: Setting, tmp_path: Path
) -> None:
    assert _kept(texts, tmp_path, weights="random").drift is None
    assert run(texts.plan(seeds=(0,)), data=texts.data).drift is None


def test_cost_counts_every_batch(texts: Setting) -> None:
    training = {"num_train_epochs": 3, "gradient_accumulation_steps": 2}
    plan = texts.plan(seeds=(0,), training=training, prefix_cache=False)
    (seed,) = run(plan, data=texts.data).seeds
    assert seed.cost is not None
    # 40 rows in batches of 4; 10 of validation in each epoch and 20 of test in one.
    assert (seed.steps, seed.cost.training_passes, seed.cost.evaluation_passes) == (15, 30, 4)
    assert seed.cost.peak_memory is not None and seed.cost.peak_memory > 50e6
    assert seed.cost.threads == torch.get_num_threads() and seed.cost.device == ""


def test_counter_of_the_processor_goes_round(tmp_path: Path) -> None:
    assert package_counter(tmp_path) is None
    for index, start in enumerate((100, 900)):
        package = tmp_path / f"intel-rapl:{index}"
        package.mkdir()
        (package / "max_energy_range_uj").write_text("1000\n")
        (package / "energy_uj").write_text(f"{start}\n")
    counter = package_counter(tmp_path)
    assert counter is not None
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("400\n")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("50\n")
    assert counter() == pytest.approx((300 + 150) / 1e6)
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("60\n")
    assert counter() == pytest.approx((300 + 160) / 1e6)
