"""Lets a Trainer compute the frozen layers once instead of in every epoch."""

from __future__ import annotations

import os
from pathlib import Path

from transformers import Trainer

from hf_transfer_plugin.callbacks.light_dataloaders import install
from hf_transfer_plugin.callbacks.prefix_checks import check_storage
from hf_transfer_plugin.callbacks.prefix_following import PrefixCache
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import default_folder

__all__ = ["prefix_cache"]


def prefix_cache(
    trainer: Trainer,
    *,
    views: int = 1,
    storage: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    budget: str | int | None = None,
) -> PrefixCache:
    """Compute what frozen layers give for each example once, and train on that.

    Whenever the first layers of the model are frozen (by a `FreezingCallback`, by PEFT or by
    hand), their output at the last of them is kept on disk for every example, and only the
    layers above run. Follows a schedule as it thaws layers. Where that would not be exact (random
    augmentation, dropout or batch statistics in frozen layers, a loss that reads the inputs) it
    says why and leaves training as it is. Weights, order of batches and random numbers are those
    of a run without it, up to rounding.

    Args:
        trainer: any Trainer; its callbacks must be in place.
        views: with random augmentation, versions of each example that are kept; epochs take
            turns with them. 1 turns the cache off when the data are random. `AugmentedImages` say
            themselves how many there are.
        storage: "float16" or "bfloat16" halves the disk space, at the cost of exactness.
        folder: of the cache; `$HF_TL_CACHE`, or a folder beside the caches of Hugging Face.
        budget: what the cache may take on disk, such as "20GB"; 50 GB when not given.

    Returns:
        a handle: `.uses` says what was done, `.remove()` undoes it.

    Raises:
        ConfigError: for a storage type, a number of views or a size that does not exist.

    Examples:
        >>> trainer = Trainer(..., callbacks=[FreezingCallback(FreezingSchedule.linear_probe())])
        >>> prefix_cache(trainer)
        >>> trainer.train()
    """
    cache = PrefixCache(
        trainer,
        views,
        check_storage(storage, views),
        Path(folder) if folder is not None else default_folder(),
        Budget.of(budget),
    )
    install(trainer, cache.serve)
    trainer.add_callback(cache)
    return cache
