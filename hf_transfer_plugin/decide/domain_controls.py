"""Controls of a transfer between two domains: whose labels train, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from hf_transfer_plugin.alarms import Watch
from hf_transfer_plugin.decide.rates import Rates
from hf_transfer_plugin.domain_kinds import DEFAULT_CHOICE, Labels
from hf_transfer_plugin.records import Plan

__all__ = [
    "control_watch",
    "per_domain_standardised",
    "source_and_target",
    "source_only",
    "target_only",
    "without_network",
]


def control_watch(plan: Plan) -> Watch:
    """Return what an alarm does to a control, which is never rescued."""
    return "rollback" if plan.watch == "rescue" else plan.watch


def without_network(plan: Plan, name: str) -> Plan:
    """Return the plan of a baseline without a network, so without what only a network reads."""
    return Plan(
        name=name,
        task=plan.task,
        checkpoint=f"baseline:{name}",
        data=plan.data,
        seeds=plan.seeds,
        metric=plan.metric,
        source=plan.source,
        labels=plan.labels,
        choose_by=plan.choose_by,
    )


def source_only(plan: Plan, _: Rates) -> Plan:
    """Return the plan on the source's labels; no row of the target trains."""
    by = plan.choose_by or DEFAULT_CHOICE
    return replace(_without_pairs(plan, "source-only", "source"), choose_by=by)


def target_only(plan: Plan, _: Rates) -> Plan:
    """Return the plan on the target's labels; its validation rows choose."""
    return replace(_without_pairs(plan, "target-only", "target"), choose_by=None)


def source_and_target(plan: Plan, _: Rates) -> Plan:
    """Return the plan on the rows of both; the target's validation rows choose."""
    return replace(_without_pairs(plan, "source-and-target", "both"), choose_by=None)


def per_domain_standardised(plan: Plan, _: Rates) -> Plan:
    """Return logistic regression on frozen features, standardised in each domain by itself."""
    made = without_network(plan, "per-domain-standardised")
    return replace(
        made,
        checkpoint=f"{made.checkpoint}:{plan.checkpoint}",
        revision=plan.revision,
        trust_remote_code=plan.trust_remote_code,
        labels="source",
        choose_by="source",
    )


def _without_pairs(plan: Plan, name: str, labels: Labels) -> Plan:
    objective = None if plan.pairs_domains else plan.objective
    return replace(
        plan,
        name=name,
        labels=labels,
        objective=objective,
        adapt_batch_norm=False,
        source_weights=None,
        watch=control_watch(plan),
    )
