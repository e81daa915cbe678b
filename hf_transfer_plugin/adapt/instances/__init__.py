"""Instance transfer: source rows that count as much as they look like the target."""

from __future__ import annotations

from hf_transfer_plugin.adapt.instances.density_ratio import density_ratio_weights
from hf_transfer_plugin.adapt.instances.mean_matching import kernel_mean_matching_weights
from hf_transfer_plugin.adapt.instances.reweighted_rows import ReweightedRows
from hf_transfer_plugin.adapt.instances.shared_features import shared_features
from hf_transfer_plugin.adapt.instances.tradaboost import TrAdaBoost
from hf_transfer_plugin.adapt.instances.weights import InstanceWeights, effective_sample_size

__all__ = [
    "InstanceWeights",
    "ReweightedRows",
    "TrAdaBoost",
    "density_ratio_weights",
    "effective_sample_size",
    "kernel_mean_matching_weights",
    "shared_features",
]
