"""LoRA+ in an unmodified Trainer, under a schedule with rates of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from hf_transfer_plugin import FreezingCallback, FreezingSchedule, apply_adapter, lora_plus
from hf_transfer_plugin.errors import ConfigError
from tests.callbacks.tiny import bert, examples, tensors

RATIO = 4.0
LOWER = "layer.0."


class _Gradients(TrainerCallback):
    """Keeps weights and gradients of the first step, and the weights after it."""

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not state.global_step:
            named = dict(kwargs["model"].named_parameters())
            self.before = tensors(kwargs["model"])
            self.grads = {n: p.grad.clone() for n, p in named.items() if p.grad is not None}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 1:
            self.after = tensors(kwargs["model"])


def _trainer(folder: Path, *callbacks: TrainerCallback, **arguments: Any) -> Trainer:
    torch.manual_seed(0)
    model = apply_adapter(bert(), {"name": "lora", "r": 2})
    defaults: dict[str, Any] = {"max_steps": 6, "learning_rate": 0.05, "save_strategy": "no"}
    quiet = {"use_cpu": True, "disable_tqdm": True, "report_to": []}
    args = TrainingArguments(str(folder), **(defaults | quiet | arguments))
    schedule = FreezingSchedule.full().with_rates(rates={"layer.0": 0.5})
    return Trainer(
        model,
        args,
        train_dataset=examples(model),
        callbacks=[FreezingCallback(schedule), *callbacks],
        optimizer_cls_and_kwargs=lora_plus(args, RATIO),
    )


def test_b_matrices_step_further_and_the_factors_of_a_schedule_hold(tmp_path: Path) -> None:
    seen = _Gradients()
    constant = {"optim": "sgd", "lr_scheduler_type": "constant", "max_grad_norm": 0.0}
    _trainer(tmp_path, seen, **constant).train()
    told = set()
    for name, gradient in seen.grads.items():
        rate = 0.05 * (RATIO if "lora_B" in name else 1.0) * (0.5 if LOWER in name else 1.0)
        told.add(rate)
        torch.testing.assert_close(seen.after[name], seen.before[name] - rate * gradient)
    assert told == {0.2, 0.1, 0.05, 0.025}


def test_weight_decay_is_that_of_trainer(tmp_path: Path) -> None:
    trainer = _trainer(tmp_path, weight_decay=0.1)
    optimizer = trainer.create_optimizer()
    by_id = {id(p): name for name, p in trainer.model.named_parameters()}
    found = {by_id[id(p)]: group for group in optimizer.param_groups for p in group["params"]}
    assert len(found) == sum(p.requires_grad for p in trainer.model.parameters())
    assert len(optimizer.param_groups) == 3, "no B matrix is a bias"
    for name, group in found.items():
        assert group["weight_decay"] == (0.0 if name.endswith("bias") else 0.1)
        assert group["lr"] == (0.2 if "lora_B" in name else 0.05)


def test_a_resumed_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    keys = {"save_strategy": "steps", "save_steps": 3}
    whole = _trainer(tmp_path / "whole", **keys)
    whole.train()
    again = _trainer(tmp_path / "again", **keys)
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    ends = [tensors(each.model) for each in (whole, again)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_without_b_matrices_or_below_one_it_is_refused(tmp_path: Path) -> None:
    args = TrainingArguments(str(tmp_path), use_cpu=True)
    with pytest.raises(ConfigError, match="1 or more"):
        lora_plus(args, 0.9)
    factory, options = lora_plus(args)
    with pytest.raises(ConfigError, match="has no B matrix"):
        factory()(apply_adapter(bert(), "ia3"), **options)
