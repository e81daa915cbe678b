"""Lightning with finetuning-scheduler, whose phases end at given epochs."""

from __future__ import annotations

from typing import Any

import torch
from finetuning_scheduler import FinetuningScheduler, FTSCheckpoint
from lightning.pytorch import LightningModule, Trainer, seed_everything

from schedule_comparison.job import CLIP_NORM, Job

__all__ = ["train_with_finetuning_scheduler"]


class _Classifier(LightningModule):  # type: ignore[misc]
    def __init__(self, network: Any, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate

    def training_step(self, batch: Any, batch_index: int) -> Any:
        return self.network(**batch).loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trainable = [weight for weight in self.parameters() if weight.requires_grad]
        return torch.optim.AdamW(trainable, lr=self.learning_rate, weight_decay=0.0, fused=True)


def train_with_finetuning_scheduler(job: Job) -> None:
    """Train with an explicit schedule, moving on by epochs alone, restoring and saving nothing."""
    phases: dict[int, dict[str, Any]] = {}
    for index, thaw in enumerate(job.thaws):
        names = [f"network.{name}" for group in thaw.thawed for name in job.parameters[group]]
        last = index == len(job.thaws) - 1
        phases[index] = {
            "params": names,
            "max_transition_epoch": job.run.epochs if last else job.thaws[index + 1].epoch,
        }
        if index:  # the first phase has the rate of configure_optimizers
            phases[index]["lr"] = job.run.learning_rate
    seed_everything(job.run.seed, verbose=False)
    trainer = Trainer(
        max_epochs=job.run.epochs,
        accelerator="cpu",
        devices=1,
        gradient_clip_val=CLIP_NORM,
        callbacks=[
            FinetuningScheduler(phases, epoch_transitions_only=True, restore_best=False),
            FTSCheckpoint(save_top_k=0),
        ],
        logger=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=job.scratch,
    )
    # Lightning leaves the mode as it finds it, and from_pretrained returns models in eval mode.
    module = _Classifier(job.model, job.run.learning_rate).train()
    trainer.fit(module, job.loader())
