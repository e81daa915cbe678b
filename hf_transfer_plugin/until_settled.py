"""Seeds one at a time, and a look after each, until the verdict is settled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.line import Line
from hf_transfer_plugin.look_records import Look, Looks
from hf_transfer_plugin.records import Verdict

__all__ = ["MOST_SEEDS", "judge_until_settled"]

MOST_SEEDS = 20
_log = logging.getLogger(__name__)


def judge_until_settled(
    line: Line,
    most_seeds: int = MOST_SEEDS,
    after_look: Callable[[Verdict], None] = lambda _: None,
) -> Verdict:
    """Train one more paired seed of transfer and controls until the first control's verdict stands.

    The first look comes after the seeds of the plan. Stopping on what the interval shows is
    allowed, because it is anytime-valid (`anytime_interval`). Each look is written to looks.json
    and each seed to plan.json before it trains, so a line that was killed goes on, and its later
    verdicts and reports know all seeds and stay anytime-valid.

    Args:
        line: the run; what is trained already is not trained again.
        most_seeds: where to stop if it is still open.
        after_look: is given the verdict of each look.

    Returns:
        The last verdict: helped, harmed or equivalent; or inconclusive at `most_seeds`.

    Raises:
        ConfigError: for fewer `most_seeds` than the plan has already, or a run with planned looks.
    """
    _check_no_looks(line)
    _check_most(most_seeds, line)
    looks = line.looks()
    line.store_looks(looks or Looks(line.plan(), line.plan().seeds))
    while True:
        plan, verdict, looks = line.plan(), line.judge(), line.looks()
        assert looks is not None
        line.store_looks(looks.adding(Look.of(verdict)))
        after_look(verdict)
        if verdict.outcome != "inconclusive" or len(plan.seeds) >= most_seeds:
            return verdict
        seed = max(plan.seeds) + 1
        _log.info("still open after %d seeds: seed %d is next", len(plan.seeds), seed)
        line.replan(replace(plan, seeds=(*plan.seeds, seed)))


def _check_most(most_seeds: int, line: Line) -> None:
    planned = len(line.plan().seeds)
    if most_seeds < planned:
        raise ConfigError(
            arrived=f"at most {most_seeds} seeds for a plan with {planned}",
            expected=f"at least {planned}, and more to leave room for further looks",
            action="raise --most-seeds, or judge without --until-settled",
        )


def _check_no_looks(line: Line) -> None:
    if line.config.looks:
        raise ConfigError(
            arrived=f"a look after every seed of a run with looks: {list(line.config.looks)}",
            expected="one of both: each has an interval of its own, and looks stop by themselves",
            action="leave --until-settled out, or give looks=[] and another run_folder",
        )
