"""Arguments of Trainer: those that a user may set, and those that a plan decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from transformers import TrainingArguments

from hf_transfer_plugin.errors import ConfigError, LaunchError, did_you_mean
from hf_transfer_plugin.processes import cpu_only, world_size
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.train.tracking import check_reporters

__all__ = ["check_training", "training_arguments"]

_OWNED = {
    "output_dir": "run_folder",
    "seed": "seeds",
    "data_seed": "seeds",
    "per_device_train_batch_size": "batch_size",
}
# The only value that a run can do with, and why.
_FIXED: dict[str, tuple[Any, str]] = {
    "auto_find_batch_size": (False, "plans are compared at one batch size"),
    "batch_eval_metrics": (False, "metrics need all rows at once"),
    "dataloader_drop_last": (False, "Trainer would drop validation and test rows too"),
    "eval_do_concat_batches": (True, "metrics need all rows at once"),
    "prediction_loss_only": (False, "metrics need the predictions"),
    "push_to_hub": (False, "hf-tl publish writes to the Hub, once there is a verdict"),
    "resume_from_checkpoint": (None, "a run goes on from what its run folder holds"),
}


def check_training(training: Mapping[str, Any], batch_size: int) -> None:
    """Check the training arguments before anything is loaded.

    Args:
        training: keyword arguments of TrainingArguments.
        batch_size: examples per optimizer step, over all processes.

    Raises:
        ConfigError: for a key that TrainingArguments does not have, or that the plan sets itself,
            and for a value with which a run cannot be judged.
        LaunchError: when the batch cannot be divided among the processes.
    """
    known = [field.name for field in fields(TrainingArguments) if field.init]
    for key, value in training.items():
        if key in _OWNED:
            raise ConfigError(
                arrived=f"training.{key} is set",
                expected=f"`{_OWNED[key]}` at the top of the config, which decides it",
                action=f"move the value to {_OWNED[key]}",
            )
        if key in _FIXED and value != _FIXED[key][0]:
            raise ConfigError(
                arrived=f"training.{key}: {value!r}",
                expected=f"{_FIXED[key][0]}: {_FIXED[key][1]}",
                action="remove the key",
            )
        if key not in known:
            raise ConfigError(
                arrived=f"unknown key training.{key}{did_you_mean(key, known)}",
                expected="an argument of transformers.TrainingArguments",
                action="correct or remove the key",
            )
    check_reporters(training)
    accumulation = training.get("gradient_accumulation_steps", 1)
    if type(accumulation) is not int or accumulation < 1:
        raise ConfigError(
            arrived=f"training.gradient_accumulation_steps: {accumulation!r}",
            expected="a whole number from 1 up",
            action="correct training.gradient_accumulation_steps",
        )
    parts = _parts(training)
    if batch_size % parts:
        raise LaunchError(
            arrived=f"batch_size {batch_size} for {parts} parts (processes x accumulation)",
            expected="a batch size that can be divided by them",
            action="change batch_size or the number of processes",
        )


def _parts(training: Mapping[str, Any]) -> int:
    """Return into how many pieces the batch of an optimizer step is cut."""
    return world_size() * int(training.get("gradient_accumulation_steps", 1))


def training_arguments(
    plan: Plan, seed: int, learning_rate: float | None, folder: str
) -> TrainingArguments:
    """Return the arguments of one run.

    Args:
        plan: what to train.
        seed: seed of this run.
        learning_rate: peak rate; None takes the plan's own.
        folder: where Trainer may write.

    Raises:
        ConfigError: for a value that TrainingArguments refuses.
    """
    options: dict[str, Any] = {
        "eval_strategy": "epoch",
        "logging_strategy": "epoch",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "per_device_eval_batch_size": 64,
        "dataloader_pin_memory": not cpu_only(),
        "use_cpu": cpu_only(),
        **plan.training,
        "output_dir": folder,
        "seed": seed,
        "data_seed": seed,
        "per_device_train_batch_size": plan.batch_size // _parts(plan.training),
    }
    if learning_rate is not None:
        options["learning_rate"] = learning_rate
    try:
        return TrainingArguments(**options)
    except (ImportError, TypeError, ValueError) as error:
        raise ConfigError(
            arrived=f"training cannot be used: {error}",
            expected="arguments as transformers.TrainingArguments takes them",
            action="correct the value under `training`",
        ) from None
