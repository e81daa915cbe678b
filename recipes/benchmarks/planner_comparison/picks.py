"""What the planner picks at a place: by its rules alone, and with a pilot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from how_comparison.arms import Trial
from how_comparison.places import Place
from how_comparison.settings import Settings
from how_comparison.training import plan_of
from how_comparison.ways import PLAIN
from tuning.lines import Lines

from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.proposal_records import Facts, Kept, Proposal
from hf_transfer_plugin.proposals.gathering import gather
from hf_transfer_plugin.proposals.piloting import piloted
from hf_transfer_plugin.proposals.proposing import propose
from hf_transfer_plugin.records import Plan
from hf_transfer_plugin.select.ranking import rank_checkpoints

__all__ = ["RULE", "WITH_PILOT", "by_rules", "key_of", "pick", "trial_of"]

RULE = "rules alone"
WITH_PILOT = "with pilot"
_SCORE = {"text": "logme", "images": "knn_accuracy"}
_RANKED = 200


def key_of(place: Place, how: str) -> tuple[str, ...]:
    """Return the key of a pick."""
    return ("pick", place.dataset, str(place.share), str(place.steps), how)


def by_rules(place: Place) -> dict[str, Any]:
    """Return the pick of the rules from rows and classes alone: nothing is read or ranked."""
    target = place.target
    rows = place.rows or target.rows
    share, more = divmod(rows, target.classes)
    counts = tuple(share + (number < more) for number in range(target.classes))
    kept = Kept(training={"max_steps": place.steps})
    return _told(propose(Facts(target.task, counts, target.checkpoint, kept=kept)))


def trial_of(place: Place, picked: Mapping[str, Any], seed: int) -> Trial:
    """Return the training of a pick."""
    return Trial(place, picked["way"], picked["rate"], 1.0, seed)


def pick(
    place: Place,
    how: str,
    settings: Settings,
    data: TargetData,
    lines: Lines,
    train: Callable[[Trial, Settings], dict[str, Any]],
) -> None:
    """Add a pick to the lines, unless it is there.

    The planner keeps the length of the place, which every way has, and the batch; way and rate
    are its own. The ranking that it reads has one score and at most 200 rows.

    Args:
        place: rows and steps.
        how: RULE or WITH_PILOT.
        settings: of all trainings.
        data: rows of the place.
        lines: the results; trainings of a pilot are looked up in them first.
        train: (trial, settings) -> what one training gave.
    """
    if key_of(place, how) in lines:
        return
    plan = plan_of(Trial(place, PLAIN, 1e-4, 1.0, 0), settings)
    plan = replace(plan, training={"max_steps": place.steps})
    found = _by_rule(place, plan, data)

    def pilot(plan: Plan, name: str, share: float) -> tuple[float, float]:
        steps = int(plan.training["max_steps"])
        rate = float(plan.training["learning_rate"])
        trial = Trial(replace(place, steps=steps), name, rate, 1.0, 0)
        if trial.key not in lines:
            lines.add(trial.key, train(trial, settings))
        result = lines[trial.key]
        return float(result["validation"]), float(result["seconds"])

    if how == WITH_PILOT:
        found = piloted(found, plan, len(data.splits["validation"]), pilot)
    lines.add(key_of(place, how), _told(found))


def _by_rule(place: Place, plan: Plan, data: TargetData) -> Proposal:
    score = _SCORE[place.target.kind]
    ranking = rank_checkpoints(
        [plan.checkpoint], data, task=plan.task, scores=[score], examples=_RANKED
    )
    return propose(gather(plan, data, ranking, Kept(training=plan.training)))


def _told(proposal: Proposal) -> dict[str, Any]:
    """Return what a proposal picks, from what, and what it took."""
    facts, option, pilot = proposal.facts, proposal.option, proposal.pilot
    return {
        "way": option.name,
        "rate": option.learning_rate,
        "rows": facts.rows,
        "classes": len(facts.class_rows),
        "readout": facts.readout,
        "ahead": facts.ahead,
        "options": [each.name for each in proposal.options],
        "examples": 0 if pilot is None else pilot.examples,
        "seconds": 0.0 if pilot is None else pilot.seconds,
        "why": option.reasons[0].why if pilot is None else pilot.why,
    }
