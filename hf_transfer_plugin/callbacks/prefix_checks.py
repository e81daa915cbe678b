"""When a Trainer cannot be served from a cache of its frozen layers, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import Trainer

from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
from hf_transfer_plugin.data import AugmentedImages, DomainPairs
from hf_transfer_plugin.errors import ConfigError

__all__ = ["check_storage", "own_methods", "scattered", "why_not"]

_READERS = (
    *("compute_loss", "training_step", "prediction_step", "get_train_dataloader"),
    *("get_batch_samples", "_prepare_inputs", "_prepare_input"),
)
_STORAGE = ("float16", "bfloat16")


def check_storage(storage: str | None, views: int) -> str | None:
    """Return the type of storage, when it and the number of views can be used.

    Raises:
        ConfigError: for one that cannot.
    """
    if storage is not None and storage not in _STORAGE:
        raise ConfigError(
            arrived=f"storage={storage!r}",
            expected='"float16" or "bfloat16", or nothing: as the model computes',
            action="correct it",
        )
    if type(views) is not int or views < 1:
        raise ConfigError(
            arrived=f"views={views!r}",
            expected="a whole number from 1 up",
            action="give the number of augmented versions of each example that shall be kept",
        )
    return storage


def own_methods(trainer: Trainer, names: Sequence[str]) -> list[str]:
    """Return those of the methods that are not Trainer's."""
    return [
        name
        for name in names
        if getattr(type(trainer), name) is not getattr(Trainer, name)
        # Dataloaders are replaced in every Trainer with a cache.
        or (name in vars(trainer) and name != "get_train_dataloader")
    ]


def scattered(trainer: Trainer) -> dict[str, bool]:
    """Return reason -> whether it holds, where hooks on one whole model do not reach the work."""
    return {
        "several devices in one process (DataParallel) each hold a copy of the model; start one "
        "process for each": trainer.args.n_gpu > 1,
        "the weights are spread over processes (FSDP or DeepSpeed)": trainer.is_fsdp_enabled
        or trainer.is_deepspeed_enabled,
    }


def why_not(trainer: Trainer, dataset: Any, for_training: bool) -> str:
    """Return why this Trainer must read every row of a dataset itself; "" when it need not."""
    args, kind = trainer.args, type(trainer)
    augmented = isinstance(dataset, AugmentedImages)
    overridden = own_methods(trainer, _READERS)
    readers = [
        each.objective.name
        for each in trainer.callback_handler.callbacks
        if isinstance(each, ObjectiveCallback) and each.objective.record.kind.reads_inputs
    ]
    reasons = {
        f"the objective {', '.join(readers)} reads the whole input": bool(readers),
        "torch_compile is on: a compiled graph has the frozen layers built in": args.torch_compile,
        **scattered(trainer),
        f"{kind.__name__} has its own {', '.join(overridden)}, which may read inputs that the "
        "cache leaves out": bool(overridden),
        "train_sampling_strategy='batch_rebalance' reads whole rows": for_training
        and args.train_sampling_strategy == "batch_rebalance",
        "the training set has another row at the same place in each epoch (set_epoch)": for_training
        and hasattr(dataset, "set_epoch")
        and not augmented,
        "the augmentation gives a new view of each image in each epoch, so nothing comes twice; "
        "`views: 4` in data.augment (views=4 of AugmentedImages) takes turns with that many, which "
        "can be kept": augmented and for_training and dataset.views is None,
        "the images of evaluation are augmented": augmented and not for_training,
        "the images of the source are augmented, and pairs of domains are kept unchanged alone": (
            isinstance(dataset, DomainPairs) and isinstance(dataset.rows.source, AugmentedImages)
        ),
        "metrics read the inputs (include_for_metrics)": not for_training
        and "inputs" in (args.include_for_metrics or []),
        "evaluation runs in another precision (fp16_full_eval, bf16_full_eval)": not for_training
        and (args.fp16_full_eval or args.bf16_full_eval),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
