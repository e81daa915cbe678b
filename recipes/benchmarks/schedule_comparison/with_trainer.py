"""transformers.Trainer, alone or with this package's callback."""

from __future__ import annotations

from typing import Any

from transformers import PrinterCallback, Trainer, TrainingArguments

from hf_transfer_plugin import FreezingCallback
from schedule_comparison.job import CLIP_NORM, Job

__all__ = ["arguments", "train_alone", "train_moving", "train_with_plugin", "trainer_of"]


def arguments(job: Job, **changes: Any) -> TrainingArguments:
    """Return the arguments of a run that only trains: no evaluation, no logs, no checkpoints."""
    options: dict[str, Any] = {
        "output_dir": job.scratch,
        "num_train_epochs": job.run.epochs,
        "per_device_train_batch_size": job.run.batch_size,
        "learning_rate": job.run.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "max_grad_norm": CLIP_NORM,
        "seed": job.run.seed,
        "data_seed": job.run.seed,
        "accelerator_config": {"use_seedable_sampler": True},
        "eval_strategy": "no",
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        "use_cpu": True,
    }
    if job.run.method == "combined":
        # Slanted triangular rates: a short rise, then a straight line down to 0.
        options |= {"lr_scheduler_type": "linear", "warmup_steps": 0.1}
    return TrainingArguments(**options | changes)


def train_alone(job: Job) -> None:
    """Train everything."""
    trainer_of(job).train()


def train_with_plugin(job: Job) -> None:
    """Train with the callback in the same Trainer."""
    trainer_of(job, FreezingCallback(job.schedule)).train()


def train_moving(job: Job) -> None:
    """Train with the callback, and frozen layers as the other tools leave them: in train mode."""
    moving = FreezingCallback(job.schedule, frozen_normalization="train", frozen_dropout=True)
    trainer_of(job, moving).train()


def trainer_of(job: Job, *callbacks: FreezingCallback) -> Trainer:
    """Return the Trainer of a job, with callbacks and nothing that prints."""
    trainer = Trainer(
        model=job.model,
        args=arguments(job),
        train_dataset=job.train,
        data_collator=job.collate,
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
