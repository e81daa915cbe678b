"""The weights of a checkpoint reach the model, or the run does not go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.loaded_weights import digest, translate_names
from hf_transfer_plugin.errors import ScheduleError
from tests.callbacks.tiny import bert, changed, tensors, trainer, vit

SCHEDULE = FreezingSchedule.lp_ft(0.5)
SAVED: dict[str, Any] = {"save_strategy": "steps", "save_steps": 6}


def saved_names(model: nn.Module, folder: Path) -> dict[str, torch.Tensor]:
    model.save_pretrained(folder)  # type: ignore[operator]
    return load_file(folder / "model.safetensors")


def test_a_model_takes_what_it_has_saved(tmp_path: Path) -> None:
    model, other = vit(), vit()
    for parameter in other.parameters():
        parameter.data.add_(1.0)
    state = saved_names(other, tmp_path)
    assert set(state) != set(model.state_dict()), "this architecture is saved under other names"
    translate_names(model)
    missing, unexpected = model.load_state_dict(state, strict=True)
    assert not missing and not unexpected
    assert not changed(tensors(other), tensors(model))


def test_names_that_fit_are_left_alone() -> None:
    model = bert()
    translate_names(model)
    state = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    assert not changed(state, model.state_dict())
    head = {name: tensor for name, tensor in state.items() if name.startswith("classifier")}
    missing, unexpected = model.load_state_dict(head, strict=False)
    assert missing and not unexpected


def test_a_callback_that_comes_too_late_to_translate_refuses(tmp_path: Path) -> None:
    trainer(vit(), tmp_path, FreezingCallback(SCHEDULE), **SAVED).train()
    run = trainer(vit(), tmp_path / "again")
    run.add_callback(FreezingCallback(SCHEDULE))
    with pytest.raises(
        ScheduleError, match="does not hold the weights of the checkpoint of step 6"
    ):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))


def test_other_weights_in_the_checkpoint_are_refused(tmp_path: Path) -> None:
    trainer(bert(), tmp_path, FreezingCallback(SCHEDULE), **SAVED).train()
    file = tmp_path / "checkpoint-6" / "model.safetensors"
    state = load_file(file)
    state["classifier.weight"] += 1e-3
    save_file(state, file, metadata={"format": "pt"})
    model = bert()
    run = trainer(model, tmp_path / "again", FreezingCallback(SCHEDULE))
    with pytest.raises(ScheduleError, match="the weights that were saved"):
        run.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_digest_sees_each_tensor() -> None:
    weights = [torch.zeros(3), torch.zeros(2, 2, dtype=torch.bfloat16)]
    before = digest(weights)
    weights[1][0, 1] = 1
    assert digest(weights) != before and len(before) == 16
    assert digest([]) == digest([])
