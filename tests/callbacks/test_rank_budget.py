"""AdaLoRA's budget in an unmodified Trainer, and where it cannot be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, RankBudgetCallback, apply_adapter
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.tiny import STEPS, bert, trainer


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


def test_a_run_is_not_resumed(tmp_path: Path) -> None:
    keys = {"save_strategy": "steps", "save_steps": 4}
    first, second = (_adalora(tinit=5, tfinal=1) for _ in range(2))
    trainer(first, tmp_path, RankBudgetCallback(), **keys).train()
    again = trainer(second, tmp_path, RankBudgetCallback(), **keys)
    with pytest.raises(ConfigError, match="goes on from step 4"):
        again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
