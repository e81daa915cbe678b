"""What a plan reads, in the form that its checkpoint reads."""

from __future__ import annotations

from collections.abc import Sequence

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.data import prepare as prepare_data
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.train.source_weighting import weigh_source

__all__ = ["prepare", "roles_of"]


def prepare(
    plan: Plan, data: TargetData, roles: Sequence[str] | None = None
) -> tuple[Checkpoint, Prepared]:
    """Find the checkpoint, bring splits into the form that it reads, and weigh source rows.

    Raises:
        ConfigError: for a plan that reads a second domain, with data of one.
    """
    if plan.reads_unlabelled and "unlabelled" not in data.splits:
        raise ConfigError(
            arrived=f"{plan.name}: an objective of two domains, source_weights or "
            f"adapt_batch_norm, with labels: {plan.labels}"
            + ("" if plan.source else " and no source"),
            expected="labels of the source, or of both, and rows of the source",
            action="give the plan source=DataSpec(...) and labels='source' or 'both'",
        )
    checkpoint = Checkpoint(
        plan.checkpoint, revision=plan.revision, trust_remote_code=plan.trust_remote_code
    )
    prepared = prepare_data(checkpoint, data, roles or roles_of(plan))
    return checkpoint, weigh_source(plan, data, checkpoint, prepared)


def roles_of(plan: Plan, *, test: bool = True) -> tuple[str, ...]:
    """Return the splits that a plan reads.

    Args:
        plan: what trains.
        test: whether it is tested.
    """
    wanted = {
        "train": True,
        "unlabelled": plan.reads_unlabelled,
        plan.choosing_split: True,
        "test": test,
    }
    return tuple(role for role, reads in wanted.items() if reads)
