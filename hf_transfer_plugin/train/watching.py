"""The watch of one training run of a plan."""

from __future__ import annotations

from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from hf_transfer_plugin.callbacks.negative_transfer import NegativeTransferCallback
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.train.against import Against

__all__ = ["watching"]

#: Evaluations in a row that raise an alarm: in a run of so many epochs or fewer two are enough.
_PATIENCE, _SHORT_PATIENCE, _SHORT = 3, 2, 5


def watching(
    plan: Plan, arguments: TrainingArguments, against: Against
) -> list[NegativeTransferCallback]:
    """Return the callback that watches a run; none when the plan turns it off.

    Args:
        plan: what trains.
        arguments: of its Trainer.
        against: what it is held against.
    """
    if plan.watch == "off":
        return []
    patience = plan.watch_patience
    return [
        NegativeTransferCallback(
            against.control,
            bar=against.bar,
            margin=against.margin,
            action=plan.watch,
            patience=_patience(arguments) if patience is None else patience,
            metric=plan.metric,
            drift=False,
        )
    ]


def _patience(arguments: TrainingArguments) -> int:
    each_epoch = arguments.eval_strategy == IntervalStrategy.EPOCH and arguments.max_steps <= 0
    return _SHORT_PATIENCE if each_epoch and arguments.num_train_epochs <= _SHORT else _PATIENCE
