"""AdaLoRA's budget in an unmodified Trainer, and where it cannot be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, RankBudgetCallback, apply_adapter
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.tiny import STEPS, bert, changed, tensors, trainer


def _ranks(model: Any) -> int:
    return sum(sum(kept) for kept in model.peft_config["default"].rank_pattern.values())


def _adalora(**options: Any) -> Any:
    return apply_adapter(bert(), {"name": "adalora", "init_r": 4, "target_r": 1, **options})


def test_the_budget_is_met_only_with_the_callback(tmp_path: Path) -> None:
    with_budget, without = _adalora(), _adalora()
    trainer(with_budget, tmp_path, RankBudgetCallback()).train()
    trainer(without, tmp_path).train()
    config = with_budget.peft_config["default"]
    assert (config.total_step, config.tinit, config.tfinal) == (STEPS, 0, 2)
    matrices = 2 * 6 + 1
    assert _ranks(with_budget) == matrices
    assert not without.peft_config["default"].rank_pattern


def test_settings_of_its_own_are_kept(tmp_path: Path) -> None:
    model = _adalora(tinit=1, tfinal=3)
    trainer(model, tmp_path, RankBudgetCallback()).train()
    config = model.peft_config["default"]
    assert (config.tinit, config.tfinal) == (1, 3) and _ranks(model) == 13


def _of(**options: Any) -> nn.Module:
    return _adalora(**options)  # type: ignore[no-any-return]


REFUSED = {
    "no room between": (lambda: _of(tinit=5, tfinal=4), None, "steps left between"),
    "another adapter": (lambda: apply_adapter(bert(), "lora"), None, "has no AdaLoRA adapter"),
    "parts alone": (_of, FreezingSchedule.lp_ft(0.5), "matrix without gradient"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(case: str, tmp_path: Path) -> None:
    build, schedule, words = REFUSED[case]
    callbacks = [FreezingCallback(schedule)] if schedule is not None else []
    with pytest.raises(ConfigError, match=words):
        trainer(build(), tmp_path, *callbacks, RankBudgetCallback()).train()


def test_the_best_model_cannot_be_loaded(tmp_path: Path) -> None:
    keys = {"save_strategy": "steps", "eval_strategy": "steps", "load_best_model_at_end": True}
    with pytest.raises(ConfigError, match="load_best_model_at_end"):
        trainer(_adalora(), tmp_path, RankBudgetCallback(), **keys, save_steps=2, eval_steps=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Return the model and the folder of a run with a checkpoint after every step."""
    model, folder = _adalora(), tmp_path_factory.mktemp("whole")
    trainer(model, folder, RankBudgetCallback(), save_strategy="steps", save_steps=1).train()
    model.save_pretrained(folder / "adapter")
    return model, folder


def _checkpoint(folder: Path, step: int) -> str:
    return str(folder / f"checkpoint-{step}")


# The budget falls from step 0, and stays from step 6.
@pytest.mark.parametrize("step", [1, 4, 6, 7])
def test_a_resumed_run_ends_as_one_that_never_stopped(
    step: int, whole: tuple[Any, Path], tmp_path: Path
) -> None:
    model, (before, folder) = _adalora(), whole
    run = trainer(model, tmp_path, RankBudgetCallback())
    run.train(resume_from_checkpoint=_checkpoint(folder, step))
    assert run.state.global_step == STEPS
    assert not changed(tensors(before), tensors(model))
    model.save_pretrained(tmp_path / "adapter")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        ended, resumed = (parent / "adapter" / name for parent in (folder, tmp_path))
        assert ended.read_bytes() == resumed.read_bytes()


def test_a_checkpoint_is_an_adapter_too(whole: tuple[Any, Path]) -> None:
    from peft import PeftModel

    trained, folder = whole
    rows = {"input_ids": torch.arange(1, 9).reshape(2, 4)}
    expected = trained.eval()(**rows).logits
    for saved in (_checkpoint(folder, STEPS), str(folder / "adapter")):
        loaded = PeftModel.from_pretrained(bert(), saved).eval()
        torch.testing.assert_close(loaded(**rows).logits, expected)
    sizes = [
        (Path(at) / "adapter_model.safetensors").stat().st_size
        for at in (saved, _checkpoint(folder, STEPS))
    ]
    assert sizes[0] < sizes[1]


NOT_RESUMED: dict[str, tuple[dict[str, Any], str]] = {
    "another budget": ({"tinit": 1, "tfinal": 3}, "total_step, tinit and tfinal of 8, 1 and 3"),
    "made without the callback": ({}, "does not say how ranks were weighed"),
}


@pytest.mark.parametrize("case", NOT_RESUMED)
def test_what_cannot_be_resumed_is_refused(
    case: str, whole: tuple[Any, Path], tmp_path: Path
) -> None:
    options, words = NOT_RESUMED[case]
    folder = whole[1]
    if not options:
        folder = tmp_path
        trainer(_adalora(), folder, max_steps=4, save_strategy="steps", save_steps=4).train()
    again = trainer(_adalora(**options), tmp_path / "again", RankBudgetCallback())
    with pytest.raises(ConfigError, match=words):
        again.train(resume_from_checkpoint=_checkpoint(folder, 4))
