"""fastai: freeze_to, then fit, for each phase."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from fastai.callback.core import Callback, CancelValidException
from fastai.callback.training import GradientClip
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from fastai.torch_core import set_seed
from torch import nn

from schedule_comparison.job import CLIP_NORM, Job

__all__ = ["train_with_fastai"]


class _Logits(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor = self.network(**inputs).logits
        return logits


class _NoValidation(Callback):  # type: ignore[misc]
    def before_validate(self) -> None:
        raise CancelValidException


def train_with_fastai(job: Job) -> None:
    """Train each phase with one call of `fit`, all groups at one rate.

    `train_bn` is off, or fastai would train the normalization of frozen layers (LayerNorm too);
    the optimizer is torch's AdamW, as in the other tools, in fastai's own wrapper.
    """

    def collate(rows: list[dict[str, Any]]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        batch = dict(job.collate(rows))
        return batch, batch.pop("labels")

    def splitter(model: _Logits) -> list[list[nn.Parameter]]:
        return [job.weights((group,)) for group in job.parameters]

    set_seed(job.run.seed)
    batches = job.loader(collate)
    learner = Learner(
        DataLoaders(batches, batches, device=torch.device("cpu")),
        _Logits(job.model),
        loss_func=nn.CrossEntropyLoss(),
        opt_func=partial(OptimWrapper, opt=torch.optim.AdamW, weight_decay=0.0, fused=True),
        splitter=splitter,
        lr=job.run.learning_rate,
        train_bn=False,
        cbs=[GradientClip(CLIP_NORM), _NoValidation()],
        path=job.scratch,
    )
    ends = [thaw.epoch for thaw in job.thaws[1:]] + [job.run.epochs]
    with learner.no_bar(), learner.no_logging():
        for thaw, end in zip(job.thaws, ends, strict=True):
            learner.freeze_to(-len(thaw.trains))
            learner.fit(end - thaw.epoch)
