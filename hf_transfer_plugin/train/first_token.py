"""Trainings of plans compute the first token alone in the last block where they can."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from transformers import PreTrainedModel, TrainingArguments

from hf_transfer_plugin.callbacks.first_token_hooks import computing_first_token_alone
from hf_transfer_plugin.data import Prepared
from hf_transfer_plugin.records import Plan

__all__ = ["plan_first_token"]

_ROWS = 4


def plan_first_token(
    plan: Plan, model: PreTrainedModel, prepared: Prepared, args: TrainingArguments
) -> AbstractContextManager[object]:
    """Compute the first token alone in a training of a plan, unless something reads the others."""
    reads = plan.objective.kind.reads if plan.objective else frozenset()
    if "layers" in reads or args.n_gpu > 1:
        return nullcontext()

    def batch() -> Mapping[str, torch.Tensor]:
        split = prepared.splits[plan.choosing_split]
        return prepared.collate([split[row] for row in range(min(_ROWS, len(split)))])

    return computing_first_token_alone(model, batch, features=bool(reads - {"weights"}))
