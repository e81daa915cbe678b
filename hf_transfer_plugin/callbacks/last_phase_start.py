"""The weights with which the last phase of a schedule begins, kept while a Trainer runs."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.learned_weights import copied

__all__ = ["LastPhaseStart"]


class LastPhaseStart(TrainerCallback):
    """Copies the weights before the first step of the last phase.

    With LP-FT these are the pretrained weights under a trained head: the end of the line that
    WiSE-FT interpolates from.

    Args:
        model: the model that trains, not wrapped.
        freezing: applies the schedule in the same Trainer.

    Attributes:
        weights: name -> tensor on the CPU; empty until the last phase has begun.
    """

    def __init__(self, model: PreTrainedModel, freezing: FreezingCallback) -> None:
        self.model = model
        self.freezing = freezing
        self.weights: dict[str, torch.Tensor] = {}

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Copy the weights, once; the freezing callback, first in the list, knows the phase."""
        last = len(self.freezing.schedule.phases) - 1
        if not self.weights and self.freezing.transitions[-1].phase == last:
            self.weights = copied(self.model.state_dict())
