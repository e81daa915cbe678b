"""Source rows of a plan, weighed by how much they look like the target's."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from hf_transfer_plugin.adapt.instances import (
    density_ratio_weights,
    effective_sample_size,
    kernel_mean_matching_weights,
    shared_features,
)
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.select.features import layer_features
from hf_transfer_plugin.source_weight_records import WeighedSource

__all__ = ["weigh_source", "weighed_source"]


def weigh_source(
    plan: Plan, data: TargetData, checkpoint: Checkpoint, prepared: Prepared
) -> Prepared:
    """Give each row of train its weight, where the plan weighs its source.

    Rows are compared by the features that a ranking scores, of the pretrained checkpoint, even
    where the plan trains random weights. Source rows have a mean weight of 1, labelled rows of the
    target the weight 1.

    Args:
        plan: that weighs or not.
        data: of two domains.
        checkpoint: gives the features.
        prepared: rows in the form that it reads, "unlabelled" among them.

    Raises:
        CheckpointError: when the checkpoint gives no features of these rows.
        DataError: for too many source rows for mean matching.
    """
    if plan.source_weights is None:
        return prepared
    rows = {"train": data.source_rows, "unlabelled": len(data.splits["unlabelled"])}
    source, target = (
        layer_features(checkpoint, data, prepared, range(count), role=role).mean.astype(np.float64)
        for role, count in rows.items()
    )
    settings = plan.source_weights.settings
    shared = shared_features(source, target, settings["components"])
    weigh = (
        partial(density_ratio_weights, least_share=settings["least_share"])
        if plan.source_weights.name == "density_ratio"
        else partial(kernel_mean_matching_weights, bound=settings["bound"])
    )
    of_target = np.ones(len(data.splits["train"]) - data.source_rows)
    weights = np.concatenate([weigh(shared(source), shared(target)).values, of_target])
    return replace(prepared, row_weights=weights)


def weighed_source(data: TargetData, prepared: Prepared) -> WeighedSource | None:
    """Return what weights left of the source; None where all rows count alike."""
    if prepared.row_weights is None:
        return None
    rows = data.source_rows
    return WeighedSource(rows, effective_sample_size(prepared.row_weights[:rows]))
