"""Proposals as the planner makes them: by rule, within a budget, after a pilot, and hostile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hf_transfer_plugin.proposal_records import Facts, Kept, Proposal
from hf_transfer_plugin.proposals.piloting import piloted
from hf_transfer_plugin.proposals.proposing import propose
from hf_transfer_plugin.records import DataSpec, Plan

_SCORES = {"lora, lp_ft": 0.80, "lp_ft": 0.87, "full": 0.82, "ia3": 0.64}
#: The user has written the length, and the planner the rest.
LENGTH = Kept(training={"max_steps": 300})


def by_rule(**known: Any) -> Proposal:
    """Return what the rules propose for 400 questions of 6 classes."""
    facts = Facts(
        "text-classification",
        class_rows=(100, 80, 70, 60, 50, 40),
        checkpoint="sample:minilm",
        parameters=22_700_000,
        blocks=6,
        seeds=5,
        pass_seconds=4.0,
    )
    return propose(replace(facts, **known))


def after_pilot(**known: Any) -> Proposal:
    """Return the same after a pilot, which prefers LP-FT."""
    made = by_rule(**known)
    plan = Plan(
        "transfer",
        made.facts.task,
        made.facts.checkpoint,
        DataSpec("x"),
        training=dict(made.facts.kept.training),
    )
    return piloted(made, plan, 200, lambda plan, name, share: (_SCORES[name] * share**0.1, 21.5))


def hostile(text: str, path: str, token: str) -> Proposal:
    """Return a proposal whose every text is out to leave its place."""
    evil = f"{text} | *x* [link](https://evil.example) {path} {token}\n# h"
    made = after_pilot(budget_minutes=90.0)
    assert made.pilot is not None
    reasons = tuple(
        replace(each, choice=evil, why=evil, figure=evil, source=evil)
        for each in made.option.reasons
    )
    options = tuple(
        replace(each, name=f"{each.name} {evil}", reasons=reasons, left_out=evil)
        for each in made.options
    )
    name = f"{made.chosen} {evil}"
    runs = tuple(replace(each, option=f"{each.option} {evil}") for each in made.pilot.runs)
    pilot = replace(made.pilot, chosen=name, why=evil, metric=evil, runs=runs)
    return replace(made, options=options, chosen=name, findings=(evil,), pilot=pilot)
