"""Facts to a proposal: pure, so that the same facts always give the same proposal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hf_transfer_plugin.adapt.average_checks import check_average
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.errors import TransferError
from hf_transfer_plugin.proposal_records import Facts, Option, Proposal, Reason
from hf_transfer_plugin.proposals.costs import cost_of, within_budget
from hf_transfer_plugin.proposals.evidence import EVIDENCE
from hf_transfer_plugin.proposals.rules import FEW_SHOT, Ranked, ranked
from hf_transfer_plugin.proposals.settings import epochs_of, length_reason, rate_of, rate_reason
from hf_transfer_plugin.proposals.ways import Way, laid_over
from hf_transfer_plugin.records import Plan

__all__ = ["planned", "propose"]

_WARM_UP = 0.1


def propose(facts: Facts) -> Proposal:
    """Return schedule, adapter, objective, rate and length for a target, with reasons and costs.

    What the user has written stays. The first way in the order of the rules that fits the budget
    is chosen; where none does, the cheapest, and the findings say so.

    Args:
        facts: of data, ranking, layer profile, machine and config.

    Returns:
        The proposal; `planned` makes a plan of one of its options.
    """
    options = tuple(_left_out(each, facts) for each in _options(facts))
    fitting = [each for each in options if not each.left_out]
    findings = list(_findings(facts))
    if fitting:
        chosen = fitting[0]
    else:
        chosen = min(options, key=lambda each: each.cost.passes)
        findings.append(
            f"nothing fits the budget of {facts.budget_minutes:g} minutes: {chosen.name} is the "
            "cheapest; fewer seeds, epochs or rows would fit"
        )
    return Proposal(facts, options, chosen.name, tuple(findings))


def planned(option: Option, plan: Plan) -> Plan:
    """Return a plan with the axes, rate and length of an option, and all else as it is.

    Args:
        option: of a proposal.
        plan: of the config.
    """
    training = dict(plan.training)
    if option.learning_rate is not None:
        training["learning_rate"] = option.learning_rate
        training.setdefault("warmup_steps", _WARM_UP)
    if option.epochs is not None:
        training["num_train_epochs"] = option.epochs
    return replace(
        plan,
        schedule=FreezingSchedule.from_config(option.schedule).phases,
        adapter=option.adapter,
        objective=option.objective,
        training=training,
    )


def _options(facts: Facts) -> Iterable[Option]:
    seen: list[Any] = []
    for each in ranked(facts):
        way = laid_over(each.way, facts.kept)
        if way is None or way.axes in seen or not _holds_together(way, facts):
            continue
        seen.append(way.axes)
        yield _option(way, each, facts)


def _holds_together(way: Way, facts: Facts) -> bool:
    """Tell whether the average that the user wrote goes with a way."""
    phases = FreezingSchedule.from_config(way.schedule).phases
    try:
        check_average(facts.kept.average, way.adapter, phases)
    except TransferError:
        return False
    return True


def _option(way: Way, by_rule: Ranked, facts: Facts) -> Option:
    epochs = epochs_of(way, facts)
    return Option(
        name=way.name,
        schedule=way.schedule,
        adapter=way.adapter,
        objective=way.objective,
        learning_rate=rate_of(way, facts),
        epochs=None if facts.kept.has_length else epochs,
        cost=cost_of(way, epochs, facts),
        reasons=(
            _way_reason(way, by_rule, facts),
            _objective_reason(way, facts),
            _average_reason(facts),
            rate_reason(way, facts),
            length_reason(way, epochs, facts),
        ),
    )


def _way_reason(way: Way, by_rule: Ranked, facts: Facts) -> Reason:
    kept = facts.kept
    written = [
        f"the {what}"
        for what, value in (("schedule", kept.schedule), ("adapter", kept.adapter))
        if value is not None
    ]
    if way.axes == by_rule.way.axes:
        evidence = EVIDENCE[by_rule.evidence]
        why = by_rule.why + (f"; you wrote {' and '.join(written)}" if written else "")
        return Reason("schedule and adapter", way.name, why, evidence.figure, evidence.source)
    wrote = written or ["the objective"]
    why = f"you wrote {' and '.join(wrote)}; the rest is that of {by_rule.way.name}, not measured"
    return Reason("schedule and adapter", way.name, f"{why} together", "", "your config")


def _objective_reason(way: Way, facts: Facts) -> Reason:
    if facts.kept.objective is not None:
        return Reason("objective", facts.kept.objective.name, "you wrote it", "", "your config")
    if way.objective is not None:
        key = {"mcc": "images, mcc", "mmd": "images, mmd"}.get(
            way.objective.name, "images, objectives"
        )
        why = {
            "mcc": "reads the unlabelled rows of the target",
            "mmd": "reads the unlabelled rows of the target",
        }.get(way.objective.name, "holds the features to those of the source")
        return Reason("objective", way.objective.name, why, *_told(key))
    if facts.is_text:
        why = "none was ahead of the loss of the task alone beyond the noise"
        told = "texts, objectives" if facts.labels == "target" else "texts, mcc"
        return Reason("objective", "none", why, *_told(told))
    if facts.labels != "target":
        return Reason("objective", "none", "for comparison", *_told("images, source only"))
    why = "where objectives gain, frozen features or an adapter gain more"
    return Reason("objective", "none", why, *_told("images, objectives"))


def _average_reason(facts: Facts) -> Reason:
    if facts.kept.average is not None:
        return Reason("average", facts.kept.average.name, "you wrote it", "", "your config")
    return Reason("average", "none", "none was ahead beyond its noise", *_told("averages"))


def _told(key: str) -> tuple[str, str]:
    return EVIDENCE[key].figure, EVIDENCE[key].source


def _left_out(option: Option, facts: Facts) -> Option:
    if within_budget(option.cost, facts):
        return option
    minutes = (option.cost.seconds or 0.0) / 60
    return replace(
        option,
        left_out=f"about {minutes:.1f} minutes, the budget is {facts.budget_minutes:g}",
    )


def _findings(facts: Facts) -> Iterable[str]:
    if facts.budget_minutes is not None and facts.pass_seconds is None:
        yield "no forward pass was measured, so the budget cannot be held against costs in seconds"
    if facts.labels == "target" and facts.per_class <= FEW_SHOT:
        told = EVIDENCE["few-shot"]
        beside = (
            "contrastive tuning was ahead of a probe there"
            if facts.is_text
            else ("class means and probes were measured there")
        )
        yield (
            f"{facts.per_class:.1f} labels of a class: hf-tl few-shot trains no plan, but is "
            f"made for so few ({beside}: {told.figure}; {told.source})"
        )
    fewest = min(facts.class_rows)
    if fewest < facts.per_class / 10:
        yield (
            f"the rarest class has {fewest} rows, the mean is {facts.per_class:.0f}: no rule was "
            "measured on classes so uneven"
        )
    if facts.is_text and facts.ahead_lower is not None and facts.ahead_lower <= 0:
        yield (
            "the features are not ahead of the baselines beyond the noise of the ranking: mind "
            "the verdict (hf-tl judge) before you keep the transfer"
        )
