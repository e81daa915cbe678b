"""Transfer and controls trained look by look, each only as far as some comparison needs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence

from hf_transfer_plugin.config import RunConfig
from hf_transfer_plugin.decide.look_verdicts import judge_at_looks, seeds_wanted
from hf_transfer_plugin.decide.verdict import judge
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.look_records import Looks
from hf_transfer_plugin.processes import of_first
from hf_transfer_plugin.records import Plan, RunResult, Verdict
from hf_transfer_plugin.train.baselines import BASELINE_PREFIX

__all__ = ["check_looks_held", "train_to_looks", "verdict_of"]

_log = logging.getLogger(__name__)


def verdict_of(config: RunConfig, results: Sequence[RunResult], *, sequential: bool) -> Verdict:
    """Judge the transfer (first) and its controls as a config says.

    Args:
        config: says margin, confidence, looks and budget.
        results: transfer first, then the controls.
        sequential: seeds were added until it was settled; without planned looks.
    """
    transfer, *controls = results
    if config.looks:
        return judge_at_looks(
            transfer,
            controls,
            config.looks,
            margin=config.margin,
            confidence=config.confidence,
            control_minutes=config.control_budget_minutes,
        )
    return judge(
        transfer,
        controls,
        margin=config.margin,
        confidence=config.confidence,
        sequential=sequential,
    )


def train_to_looks(
    plans: Sequence[Plan],
    config: RunConfig,
    train: Callable[[Plan, int, Sequence[RunResult]], RunResult],
    after_look: Callable[[Verdict], None] = lambda _: None,
) -> tuple[RunResult, ...]:
    """Train the next look's seeds of every comparison that is open, until none is.

    What is trained follows from the results alone, so a line that was killed goes on where it was.
    A control without a network costs nothing and has all seeds of the transfer.

    Args:
        plans: transfer first, then the controls, each with the seeds of the last look.
        config: says looks, margin, confidence and budget.
        train: (plan, seeds, held against) -> result with the plan's first seeds: so many, or all
            that it has already. The transfer is held against the controls with a network.
        after_look: is given the verdict after each round of training.

    Raises:
        ConfigError: for a plan that has not as many seeds as the last look.
    """
    transfer, *controls = plans
    _check_seeds(transfer, config.looks)
    cheap = [plan for plan in controls if plan.checkpoint.startswith(BASELINE_PREFIX)]
    dear = [plan for plan in controls if plan not in cheap]
    wanted = {plan.name: config.looks[0] for plan in plans}
    done: dict[str, RunResult] = {}
    while True:
        for plan in (*dear, transfer, *cheap):
            seeds = len(done[transfer.name].seeds) if plan in cheap else wanted[plan.name]
            if plan.name not in done or len(done[plan.name].seeds) < seeds:
                against = [done[each.name] for each in dear] if plan is transfer else []
                done[plan.name] = train(plan, seeds, against)
        results = tuple(done[plan.name] for plan in plans)
        verdict = verdict_of(config, results, sequential=False)
        _tell(verdict)
        after_look(verdict)
        # The budget reads the clock, and clocks of several processes differ.
        more: dict[str, int] = json.loads(of_first(json.dumps(seeds_wanted(verdict))))
        if not more:
            return results
        wanted |= {**more, transfer.name: max(more.values())}


def check_looks_held(held: Looks | None, config: RunConfig) -> None:
    """Raise a ConfigError when this run was looked at by another plan of looks, or by none."""
    before, now = (held.at if held else config.looks), config.looks
    if before == now:
        return
    raise ConfigError(
        arrived=f"looks: {list(now)} in {config.run_folder}, where one looked "
        f"{f'at {list(before)}' if before else 'after every seed'}",
        expected="the looks that were planned before the first one, for they chose what trained",
        action=f"give {f'looks={list(before)}' if before else 'no looks'}, or another run_folder",
    )


def _check_seeds(plan: Plan, looks: Sequence[int]) -> None:
    if len(plan.seeds) != looks[-1]:
        raise ConfigError(
            arrived=f"plan {plan.name!r} with {len(plan.seeds)} seeds for looks at {list(looks)}",
            expected="as many seeds as the last look",
            action="correct the seeds of plan.json, or delete it",
        )


def _tell(verdict: Verdict) -> None:
    stops = [each.stop for each in (verdict, *verdict.others) if each.stop is not None]
    latest = max(stop.seeds for stop in stops)
    for each in (verdict, *verdict.others):
        if each.stop is None or each.stop.seeds < latest:
            continue
        where = f"look at {each.stop.seeds} of at most {each.stop.looks[-1]} paired seeds"
        goes = each.stop.reason or "goes on"
        _log.info("%s against %s: %s, %s", where, each.baseline, each.outcome, goes)
