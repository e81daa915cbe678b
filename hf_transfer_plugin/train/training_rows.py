"""The training set of a plan: labelled rows, weighed, augmented, or in pairs of domains."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from hf_transfer_plugin.adapt.instances import ReweightedRows
from hf_transfer_plugin.callbacks.augmentation import AugmentationCallback
from hf_transfer_plugin.data import AugmentedImages, DomainPairs, Prepared
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Plan

__all__ = ["training_rows"]


def training_rows(plan: Plan, prepared: Prepared, seed: int) -> tuple[Any, list[TrainerCallback]]:
    """Return the training set, and the callbacks that it needs.

    Views that have an end are part of the data: they follow from the seed of the data, so that
    seeds, rates and controls share what is kept of them. Those without one follow from the seed of
    the run. Rows without labels are never augmented. Which rows weights draw follows from the seed
    of the run, too: that draw is a part of what its interval is to tell.

    Args:
        plan: what trains.
        prepared: the data in the form the checkpoint reads.
        seed: of order and dropout of this run.

    Raises:
        ConfigError: for a source with an augmentation of its own.
    """
    if plan.source is not None and plan.source.augment is not None:
        raise ConfigError(
            arrived="a plan whose source is augmented",
            expected="augment in plan.data, which changes the images that train, of either domain",
            action="move augment from plan.source to plan.data",
        )
    rows: Any = prepared.splits["train"]
    callbacks: list[TrainerCallback] = []
    augment = plan.data.augment
    if prepared.row_weights is not None:
        drawn = ReweightedRows(rows, prepared.row_weights, seed=seed)
        # What is augmented is a dataset of its own, where a row that comes twice has other views.
        rows = drawn if augment is None else rows.select(drawn.row_numbers)
    if augment is not None:
        rows = AugmentedImages(rows, augment, seed=plan.data.seed if augment.views else seed)
        rows.set_epoch(0)
        callbacks.append(AugmentationCallback(rows))
    if plan.pairs_domains:
        rows = DomainPairs(rows, prepared.splits["unlabelled"], seed=plan.data.seed)
    return rows, callbacks
