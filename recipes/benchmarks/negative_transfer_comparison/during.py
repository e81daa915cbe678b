"""What the callback can say of each pair while one seed of it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

from hf_transfer_plugin.decide.alarm_rules import Rule, mean_curve
from negative_transfer_comparison.judged import MARGIN, JudgedPair
from negative_transfer_comparison.quality import auroc, precision_recall

__all__ = ["SHARES", "Heard", "above_control", "alarmed", "heard_at", "rule_of"]

#: Shares of training at which the callback is asked.
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
PATIENCE = 3
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Heard:
    """How much of the truth was known at a share of training; means over the seeds.

    Attributes:
        order: AUROC of pairs that helped before pairs that harmed, by the curve of one seed.
        sign: the same of the sign of the mean difference, over all pairs.
        alarms: share of the pairs with an alarm.
        precision: share of the alarms whose pair harmed.
        recall: share of the pairs that harmed with an alarm.
        helped: share of the alarms whose pair helped.
    """

    order: float
    sign: float
    alarms: float
    precision: float
    recall: float
    helped: float


def heard_at(share: float, pairs: Sequence[JudgedPair], patience: int = PATIENCE) -> Heard:
    """Ask the callback at a share of training, of each seed alone, and hold it against the truth.

    The control's curve is the mean over its seeds, as a user hands it to the callback.
    """
    seeds = range(min(len(each.transfer) for each in pairs))
    rules = [rule_of(each, patience) for each in pairs]
    decided = [each.outcome in ("helped", "harmed") for each in pairs]
    better = [each.verdict.difference > 0 for each in pairs]
    order, sign, said = [], [], []
    for seed in seeds:
        ahead = [
            above_control(each, seed, share, rule) for each, rule in zip(pairs, rules, strict=True)
        ]
        order.append(auroc(_where(decided, ahead), _where(decided, better)))
        sign.append(auroc(ahead, better))
        said += [alarmed(each, seed, share, rule) for each, rule in zip(pairs, rules, strict=True)]
    harmed = [each.outcome == "harmed" for each in pairs] * len(seeds)
    helped = [each.outcome == "helped" for each in pairs] * len(seeds)
    precision, recall = precision_recall(said, harmed)
    wrong, _ = precision_recall(said, helped)
    return Heard(fmean(order), fmean(sign), fmean(said), precision, recall, wrong)


def above_control(pair: JudgedPair, seed: int, share: float, rule: Rule) -> float:
    """Return `transfer/above_control` of a seed at a share of its training."""
    curve = pair.transfer[seed].curve
    seen = [each for each in curve if each.step <= share * curve[-1].step]
    return rule.above_control(seen or curve[:1])


def alarmed(pair: JudgedPair, seed: int, share: float, rule: Rule) -> bool:
    """Tell whether the callback has said by then that the run stays below the control."""
    curve = pair.transfer[seed].curve
    total = curve[-1].step
    seen = [each for each in curve if each.step <= share * total]
    return any(
        found.kind == "below_control"
        for end in range(1, len(seen) + 1)
        for found in rule.findings(seen[:end], total)
    )


def rule_of(pair: JudgedPair, patience: int = PATIENCE) -> Rule:
    """Return what the callback holds a pair against: the mean curve of the control."""
    control = mean_curve([{p.step: p.value for p in each.curve} for each in pair.control])
    return Rule(None, control, MARGIN, patience, greater=True)


def _where(chosen: Sequence[bool], values: Sequence[_Value]) -> list[_Value]:
    return [value for is_chosen, value in zip(chosen, values, strict=True) if is_chosen]
