"""Tells a training set of augmented images which epoch it is."""

from __future__ import annotations

import math
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.data import AugmentedImages

__all__ = ["AugmentationCallback", "epoch_number"]


class AugmentationCallback(TrainerCallback):
    """Lets `AugmentedImages` show other views in each epoch, also in a run that goes on.

    The call of `set_epoch` by accelerate is not enough: it is left out on several processes, and
    in the epoch in which a run goes on.

    Args:
        dataset: the training set, or what it is made of.

    Examples:
        >>> train = AugmentedImages(train, "article", views=4)
        >>> Trainer(..., train_dataset=train, callbacks=[AugmentationCallback(train)])
    """

    def __init__(self, dataset: AugmentedImages) -> None:
        self._dataset = dataset

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Say which epoch begins."""
        self._dataset.set_epoch(epoch_number(args, state, kwargs["train_dataloader"]))


def epoch_number(args: TrainingArguments, state: TrainerState, rows: Any) -> int:
    """Return which epoch a step lies in, from 0.

    Args:
        args: say how many batches make a step.
        state: says how many steps were made.
        rows: the dataloader of training.
    """
    per_epoch = math.ceil(len(rows) / args.gradient_accumulation_steps)
    return state.global_step // max(per_epoch, 1)
