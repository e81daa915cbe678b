"""Frozen features of two domains, each standardised by itself: the bar for adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, prepare
from hf_transfer_plugin.records import Plan

if TYPE_CHECKING:
    import numpy as np

__all__ = ["STANDARDISED", "standardised_features"]

#: Name of the baseline; the checkpoint that gives the features follows it, after a colon.
STANDARDISED = "per-domain-standardised"


def standardised_features(plan: Plan, data: TargetData) -> dict[str, np.ndarray]:
    """Return role -> features [examples, width] of train and validation (source) and test (target).

    Each column has mean 0 and variance 1 over the rows of train of its own domain; no label enters.
    The features are those that a ranking scores, from the checkpoint in the name of the plan.

    Args:
        plan: of the baseline.
        data: of two domains.

    Raises:
        CheckpointError: when the checkpoint gives no features of these rows.

    References:
        The idea of Li et al., "Revisiting Batch Normalization for Practical Domain Adaptation"
        (2016), on the features alone.
    """
    from sklearn.preprocessing import StandardScaler

    from hf_transfer_plugin.select.features import layer_features

    _, _, name = plan.checkpoint.split(":", 2)
    network = Checkpoint(name, revision=plan.revision, trust_remote_code=plan.trust_remote_code)
    roles = ("train", "validation", "unlabelled", "test")
    prepared = prepare(network, data, roles)
    found = {role: layer_features(network, data, prepared, role=role).mean for role in roles}
    own = {"source": StandardScaler().fit(found["train"])}
    own["target"] = StandardScaler().fit(found["unlabelled"])
    domains = {"train": "source", "validation": "source", "test": "target"}
    return {role: own[domain].transform(found[role]) for role, domain in domains.items()}
