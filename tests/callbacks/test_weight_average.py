"""The moving average in an unmodified Trainer: right, without a trace, and exact on resume."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import nn
from transformers import TrainerCallback

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, WeightAverageCallback
from hf_transfer_plugin.callbacks.base_weights import copy_into
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.tiny import MODELS, bert, changed, tensors, trainer

DECAY = 0.6  # reached within the run: the warm-up ends at step 4
SAVED = 3


class _Timm(TrainerCallback):
    """Averages as timm does."""

    def __init__(self) -> None:
        self.average: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.average = ModelEmaV3(kwargs["model"], decay=DECAY, use_warmup=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.average.update(kwargs["model"], step=state.global_step)


def _train(
    model: nn.Module, folder: Path, *callbacks: TrainerCallback, resume: Path | None = None
) -> None:
    freezing = FreezingCallback(FreezingSchedule.lp_ft(0.5))
    keys: dict[str, Any] = {"save_strategy": "steps", "save_steps": SAVED}
    run = trainer(model, folder, freezing, *callbacks, **keys)
    run.train(resume_from_checkpoint=str(resume) if resume else None)


@pytest.mark.parametrize("kind", MODELS)
def test_it_is_the_average_of_timm_and_resumes_to_the_bit(kind: str, tmp_path: Path) -> None:
    plain, model, again = (MODELS[kind]() for _ in range(3))
    _train(plain, tmp_path / "plain")
    average, timm = WeightAverageCallback(DECAY), _Timm()
    _train(model, tmp_path / "whole", average, timm)
    assert not changed(tensors(plain), tensors(model)), "training does not feel it"
    theirs = timm.average.module.state_dict()
    for name, tensor in average.weights.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-5, atol=1e-7)
    moved = changed(average.weights, {n: model.state_dict()[n] for n in average.weights})
    assert "resnet" not in kind or any("running_var" in name for name in moved)

    # A checkpoint goes on wherever it lies.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "whole" / f"checkpoint-{SAVED}", elsewhere)
    resumed = WeightAverageCallback(DECAY)
    _train(again, tmp_path / "again", resumed, resume=elsewhere)
    assert resumed.weights.keys() == average.weights.keys()
    assert not changed(average.weights, resumed.weights)
    assert len(average.weights) < len(model.state_dict()) or kind != "lora"


def test_another_decay_begins_anew_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _train(bert(), tmp_path, WeightAverageCallback(DECAY))
    with caplog.at_level(logging.WARNING, "hf_transfer_plugin"):
        _train(bert(), tmp_path, WeightAverageCallback(0.9), resume=tmp_path / "checkpoint-6")
    assert "step 6 holds no average with decay 0.9" in caplog.text


def test_the_better_weights_stay(tmp_path: Path) -> None:
    model, average = bert(), WeightAverageCallback()
    assert not average.choose(model, lambda: 1.0), "no training, no average"
    _train(model, tmp_path, average)
    plain = tensors(model)

    def judged(*scores: float) -> bool:
        copy_into(model, plain)
        given = iter(scores)
        return average.choose(model, lambda: next(given))

    assert not judged(0.5, 0.5) and not changed(plain, tensors(model)), "a tie keeps the plain"
    assert judged(0.5, 0.6)
    held = model.state_dict()
    assert all(torch.equal(held[name], tensor) for name, tensor in average.weights.items())
    assert changed(plain, tensors(model))


def test_half_precision_is_averaged_in_float32(tmp_path: Path) -> None:
    model, average = bert().to(torch.bfloat16), WeightAverageCallback()
    trainer(model, tmp_path, average).train()
    floats = [each for each in average.weights.values() if each.is_floating_point()]
    assert {each.dtype for each in floats} == {torch.float32}
    assert average.choose(model, iter((0.0, 1.0)).__next__)
    assert {each.dtype for each in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("decay", [-0.1, 1.1, True, "0.9", float("nan")])
def test_what_is_no_decay_is_refused(decay: Any) -> None:
    with pytest.raises(ConfigError, match="average ema with decay"):
        WeightAverageCallback(decay)
