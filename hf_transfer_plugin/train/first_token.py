"""Trainings of plans compute the first token alone in the last block where they can."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from transformers import PreTrainedModel, TrainingArguments

from hf_transfer_plugin.callbacks.first_token_hooks import (
    computing_first_token_alone,
    trial_batch,
)
from hf_transfer_plugin.data import Prepared
from hf_transfer_plugin.records import Plan

__all__ = ["plan_first_token"]


def plan_first_token(
    plan: Plan, model: PreTrainedModel, prepared: Prepared, args: TrainingArguments
) -> AbstractContextManager[object]:
    """Compute the first token alone in a training of a plan, unless something reads the others."""
    if args.n_gpu > 1:
        return nullcontext()
    reads = plan.objective.kind.reads if plan.objective else frozenset()
    rows = prepared.splits[plan.choosing_split]
    return computing_first_token_alone(
        model, lambda: trial_batch(rows, prepared.collate), reads=reads
    )
