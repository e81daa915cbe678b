"""A pilot: the best options by rule, trained briefly and compared on validation rows alone."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.errors import LaunchError
from hf_transfer_plugin.processes import world_size
from hf_transfer_plugin.proposal_records import Facts, Option, Pilot, PilotRun, Proposal
from hf_transfer_plugin.proposals.costs import depths
from hf_transfer_plugin.proposals.proposing import planned
from hf_transfer_plugin.proposals.settings import epochs_in
from hf_transfer_plugin.proposals.ways import WAYS, Way, laid_over
from hf_transfer_plugin.records import Plan

__all__ = ["PilotTraining", "check_pilot", "pilot_training", "piloted"]

_log = logging.getLogger(__name__)

_SEED = 0
_MOST = 4
#: Share of its length that each option gets in the first round; the better two then get all.
_FIRST = 1 / 3
#: Share of the budget that a pilot may take.
_OF_BUDGET = 0.25

#: Of the work of what is chosen, a level option that takes less is worth a word.
_CHEAP = 0.25

#: (plan, name of the option, share of its length) -> validation metric and wall seconds.
PilotTraining = Callable[[Plan, str, float], tuple[float, float]]


def piloted(proposal: Proposal, plan: Plan, validation_rows: int, train: PilotTraining) -> Proposal:
    """Let validation choose among the best options by rule; the test split is read by nothing.

    Successive halving in two rounds, one seed each: up to four options at a third of their
    length, full fine-tuning among them, then two at all of it. Those two are the best of the ways
    that train all weights and the best of the others, which learn sooner: a short round alone
    would favour them (the problem that Hyperband hedges against, Li et al. 2018). Where all are of
    one kind, the better two go on. Options within one standard error of the best are level with
    it, and of those the first by rule is taken (the one-standard-error rule, Breiman et al. 1984):
    a difference that is noise does not overrule what was measured on many seeds.

    Args:
        proposal: by rule.
        plan: of the config.
        validation_rows: rows that the metric is a mean over.
        train: trains a plan with its single seed.

    Returns:
        The proposal with its pilot and what it chose; by rule alone, with a finding that says
        so, where fewer than two options fit into a quarter of the budget.

    References:
        Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
        Optimization" (2016). Li et al., "Hyperband: A Novel Bandit-Based Approach to
        Hyperparameter Optimization" (2018).
    """
    options = _affordable(proposal)
    if len(options) < 2:
        finding = "no pilot: fewer than two options fit into a quarter of the budget"
        return replace(proposal, findings=(*proposal.findings, finding))
    pilots = _Pilots(proposal, plan, validation_rows, train, [])
    if len(options) > 2 and _shrinks(plan, options):
        options = pilots.better(options, _FIRST)
    last = pilots.better(_two(options, proposal), 1.0)
    chosen, second = last[0], last[1]
    value, other = (pilots.value(each, 1.0) for each in (chosen, second))
    noise = pilots.noise(max(value, other))
    why = f"{plan.chosen_by} {value:.3f} on validation against {other:.3f} of “{second.name}”"
    if abs(value - other) <= noise:
        why += f": level within one standard error ({noise:.3f}), so the order of the rules holds"
    pilot = Pilot(
        seed=_SEED,
        metric=plan.chosen_by,
        rows=validation_rows,
        noise=noise,
        runs=tuple(pilots.runs),
        chosen=chosen.name,
        why=why,
    )
    findings = (*proposal.findings, *pilots.cheaper(chosen))
    return replace(proposal, chosen=chosen.name, findings=findings, pilot=pilot)


def check_pilot() -> None:
    """Raise a LaunchError when several processes run: a pilot is for one."""
    if world_size() > 1:
        raise LaunchError(
            arrived=f"a pilot in {world_size()} processes",
            expected="one process",
            action="run hf-tl plan --propose --pilot without a launcher, then launch hf-tl run",
        )


def _tried(proposal: Proposal) -> list[Option]:
    """Return the first options by rule, the last of which full fine-tuning takes the place of."""
    options = [each for each in proposal.options if not each.left_out]
    tried = options[:_MOST]
    full = laid_over(WAYS["full"], proposal.facts.kept)
    further = [each for each in options[_MOST:] if full is not None and each.name == full.name]
    return [*tried[: _MOST - len(further)], *further]


def _affordable(proposal: Proposal) -> list[Option]:
    """Return as many of the options as fit into the share of the budget of a pilot.

    The first by rule is among them, and so is one that trains all weights, where that fits.
    """
    facts, tried = proposal.facts, _tried(proposal)
    for count in range(len(tried) - 1, 0, -1):
        beside = list(combinations(tried[1:], count))
        beside.sort(key=lambda some: not any(_trains_all(each, facts) for each in some))
        for some in beside:
            if _fits((tried[0], *some), facts):
                return [tried[0], *some]
    return tried[:1]


def _fits(options: Sequence[Option], facts: Facts) -> bool:
    if facts.budget_minutes is None:
        return True
    costs = [each.cost.seconds or 0.0 for each in options]
    dearest = sum(sorted(costs)[-2:])
    first = _FIRST * sum(costs) if len(options) > 2 else 0.0
    return (first + dearest) / facts.seeds <= 60 * facts.budget_minutes * _OF_BUDGET


def _two(options: Sequence[Option], proposal: Proposal) -> list[Option]:
    """Return the best and the best of the other kind, or the second, in the order of the rules."""
    best, facts = options[0], proposal.facts
    kind = _trains_all(best, facts)
    others = [each for each in options[1:] if _trains_all(each, facts) != kind]
    return sorted((best, *(others or options[1:])[:1]), key=proposal.options.index)


def _trains_all(option: Option, facts: Facts) -> bool:
    """Tell whether all weights of the network train, if not from the first step."""
    whole = max(depths(Way(option.name, option.schedule), facts.blocks)) == 1
    return whole and option.adapter is None


def _shrinks(plan: Plan, options: Sequence[Option]) -> bool:
    """Tell whether all phases end at a share of the run, so that a third of it holds them all."""
    phases = [phase for each in options for phase in planned(each, plan).schedule[:-1]]
    return all(phase.until_fraction is not None for phase in phases)


@dataclass
class _Pilots:
    """The trainings of a pilot."""

    proposal: Proposal
    plan: Plan
    rows: int
    train: PilotTraining
    runs: list[PilotRun]

    def better(self, options: Sequence[Option], share: float) -> list[Option]:
        """Train options for a share of their length; return them best first."""
        for option in options:
            self._run(option, share)
        best = max(self.value(each, share) for each in options)
        noise = self.noise(best)
        level = [each for each in options if best - self.value(each, share) <= noise]
        behind = [each for each in options if each not in level]
        behind.sort(key=lambda each: -self.value(each, share))
        return [*level, *behind]

    def cheaper(self, chosen: Option) -> list[str]:
        """Return a finding on the cheapest option that the longest round it was in finds level."""
        longest = {each.option: each.share for each in self.runs}
        level = []
        for option in (each for each in self.proposal.options if each.name in longest):
            share = longest[option.name]
            value, best = self.value(option, share), self.value(chosen, share)
            work = option.cost.passes / chosen.cost.passes
            if work <= _CHEAP and best - value <= self.noise(best):
                level.append((work, option.name, value, best, option))
        if not level:
            return []
        work, name, value, best, option = min(level)
        written = f"schedule: {json.dumps(option.schedule)}"
        written += f" and adapter: {option.adapter.name}" if option.adapter else ""
        return [
            f"“{name}” takes about {max(1, round(100 * work))} % of the work of “{chosen.name}” "
            f"and is level as far as {self.rows:,} validation rows tell ({value:.3f} against "
            f"{best:.3f}): where time matters, write {written} into the config"
        ]

    def value(self, option: Option, share: float) -> float:
        """Return the validation metric of a training."""
        return next(
            each.validation
            for each in self.runs
            if each.option == option.name and each.share == share
        )

    def noise(self, best: float) -> float:
        """Return the standard error of a share of right answers; 0 for another kind of metric."""
        if not 0 <= best <= 1 or self.plan.choose_by is not None:
            return 0.0
        return math.sqrt(best * (1 - best) / max(1, self.rows))

    def _run(self, option: Option, share: float) -> None:
        facts = self.proposal.facts
        epochs = share * (option.epochs or epochs_in(facts.kept.training, facts))
        plan = _short(planned(option, self.plan), share, epochs)
        value, seconds = self.train(plan, option.name, share)
        examples = round(epochs * facts.rows)
        self.runs.append(PilotRun(option.name, share, value, examples, round(seconds, 1)))
        _log.info(
            "pilot: %s, %.0f %% of its length, validation %s %.4f, %.1f s",
            option.name,
            100 * share,
            plan.chosen_by,
            value,
            seconds,
        )


def _short(plan: Plan, share: float, epochs: float) -> Plan:
    """Return a plan of one seed and a share of the length, that nothing stops or averages."""
    training = dict(plan.training)
    if training.get("max_steps", -1) > 0:
        training["max_steps"] = max(len(plan.schedule) + 1, round(share * training["max_steps"]))
    else:
        training["num_train_epochs"] = epochs
    rate = plan.learning_rates[len(plan.learning_rates) // 2] if plan.learning_rates else None
    if rate is not None:
        training["learning_rate"] = rate
    return replace(
        plan,
        name="pilot",
        seeds=(_SEED,),
        training=training,
        learning_rates=(),
        average=None,
        watch="off",
    )


def pilot_training(data: TargetData, folder: Path) -> PilotTraining:
    """Return what trains a pilot here, and keeps each result so that a stopped pilot goes on.

    Args:
        data: of the run; rows of test are neither prepared nor answered.
        folder: for the results.
    """
    from hf_transfer_plugin.train.running import run

    def train(plan: Plan, name: str, share: float) -> tuple[float, float]:
        safe = "".join(letter if letter.isalnum() else "-" for letter in name)
        results = folder / f"{safe}-{100 * share:.0f}.json"
        (trained,) = run(plan, results=results, test=False, data=data).seeds
        return trained.validation[plan.chosen_by], trained.wall_seconds

    return train
