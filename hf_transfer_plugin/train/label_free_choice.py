"""The evaluation that a plan without labels of the target keeps, and the weights of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.adapt.label_free import label_free_scores
from hf_transfer_plugin.callbacks.learned_weights import copied, learned_weights, put_weights
from hf_transfer_plugin.callbacks.stepped_weights import torch_optimizer
from hf_transfer_plugin.domain_kinds import CHOICES
from hf_transfer_plugin.records import Plan

__all__ = ["CHOICE_METRICS", "KeepChosen", "label_free_metrics"]

#: What an evaluation logs beside the metrics: each criterion, and the one that chooses, larger
#: being better.
CHOICE_METRICS = ("importance", "information", "entropy", "density", "choice")


def label_free_metrics(
    plan: Plan, logits: np.ndarray, labels: np.ndarray, source: Mapping[str, float]
) -> dict[str, float]:
    """Return all of `CHOICE_METRICS`.

    Args:
        plan: says which criterion chooses.
        logits: of labelled and unlabelled rows [rows, classes].
        labels: -100 marks rows without one [rows].
        source: metrics on the labelled rows.
    """
    found = label_free_scores(logits, labels)
    if plan.choose_by is None:
        return found
    value = source[plan.metric] if plan.choose_by == "source" else found[plan.choose_by]
    return {**found, "choice": value if CHOICES[plan.choose_by].greater else -value}


class KeepChosen(TrainerCallback):
    """Keeps the weights of the evaluation with the largest "choice", the first of equal ones.

    The copy lies in the memory of the CPU, in every process that of the first.

    Attributes:
        step: optimizer steps of the evaluation that is kept; None before the first.
        metrics: of that evaluation.
    """

    def __init__(self) -> None:
        self.step: int | None = None
        self.metrics: dict[str, float] | None = None
        self._weights: dict[str, torch.Tensor] = {}
        self._largest = -math.inf

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the weights if no evaluation before was as good."""
        metrics = kwargs["metrics"]
        if not metrics["eval_choice"] > self._largest:
            return
        self._largest = metrics["eval_choice"]
        self.step, self.metrics = state.global_step, dict(metrics)
        optimizer = torch_optimizer(kwargs["optimizer"])
        self._weights = copied(learned_weights(kwargs["model"], optimizer))

    def put_back(self, model: torch.nn.Module) -> None:
        """Put the weights that were kept into the model, if there was an evaluation."""
        put_weights(model, self._weights)
