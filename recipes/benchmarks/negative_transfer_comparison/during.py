"""What the callback can say of each pair while one seed of it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from hf_transfer_plugin.decide.alarm_rules import Evaluated, Rule, at_step, mean_curve
from negative_transfer_comparison.judged import MARGIN, JudgedPair
from negative_transfer_comparison.quality import auroc, precision_recall

__all__ = ["SHARES", "Heard", "above_control", "alarmed", "heard_at"]

#: Shares of training at which the callback is asked.
SHARES = (0.1, 0.25, 0.5, 1.0)
PATIENCE = 3


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

    The control's curve is the mean over its seeds, as a user hands it to the callback. The
    difference is the mean of the evaluations in the second half of what has been seen.
    """
    seeds = range(min(len(each.transfer) for each in pairs))
    decided = [each for each in pairs if each.outcome in ("helped", "harmed")]
    order, sign, said = [], [], []
    for seed in seeds:
        order.append(_auroc(decided, seed, share, [each.outcome == "helped" for each in decided]))
        sign.append(_auroc(pairs, seed, share, [each.verdict.difference > 0 for each in pairs]))
        said += [alarmed(each, seed, share, patience) for each in pairs]
    harmed = [each.outcome == "harmed" for each in pairs] * len(seeds)
    helped = [each.outcome == "helped" for each in pairs] * len(seeds)
    precision, recall = precision_recall(said, harmed)
    wrong, _ = precision_recall(said, helped)
    return Heard(fmean(order), fmean(sign), fmean(said), precision, recall, wrong)


def above_control(pair: JudgedPair, seed: int, share: float) -> float:
    """Return transfer minus control on validation, in the second half of what has been seen."""
    curve = pair.transfer[seed].curve
    end = share * curve[-1].step
    seen = [each for each in curve if end / 2 < each.step <= end] or [curve[0]]
    control = _control(pair)
    return fmean(each.value - at_step(control, each.step) for each in seen)


def alarmed(pair: JudgedPair, seed: int, share: float, patience: int) -> bool:
    """Tell whether the callback has said by then that the run stays below the control."""
    curve = pair.transfer[seed].curve
    total = curve[-1].step
    rule = Rule(None, _control(pair), MARGIN, patience, greater=True)
    history: list[Evaluated] = []
    for each in curve:
        if each.step > share * total:
            break
        history.append(each)
        if any(found.kind == "below_control" for found in rule.findings(history, total)):
            return True
    return False


def _control(pair: JudgedPair) -> dict[float, float]:
    return mean_curve([{p.step: p.value for p in each.curve} for each in pair.control])


def _auroc(pairs: Sequence[JudgedPair], seed: int, share: float, good: Sequence[bool]) -> float:
    return auroc([above_control(each, seed, share) for each in pairs], good)
