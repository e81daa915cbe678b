"""Each rung of the ladder: what it trains or averages, measured on validation alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from hf_transfer_plugin.adapt.weight_averages import (
    between,
    greedy_soup,
    interpolated,
    line,
    mean_weights,
)
from hf_transfer_plugin.data import TargetData
from hf_transfer_plugin.decide.gate import jackknife_scores
from hf_transfer_plugin.decide.rates import ENOUGH_RATES
from hf_transfer_plugin.ladder.rung_plans import (
    adapter_plan,
    is_adapter_only,
    is_lp_ft,
    is_probe,
    lp_ft_plan,
    probe_plan,
)
from hf_transfer_plugin.ladder.seed_models import SeedModels
from hf_transfer_plugin.records import Plan, RunResult
from hf_transfer_plugin.rescue_records import RungName
from hf_transfer_plugin.train import run

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ALPHAS", "RUNGS", "Ground", "Tried"]

#: The ends of the line, 0 and 1, are rungs of their own: the probed head, and LP-FT.
ALPHAS = between(10)


@dataclass(frozen=True)
class Ground:
    """What the ladder stands on.

    Attributes:
        plan: the transfer.
        data: the target.
        folder: for what rungs train.
    """

    plan: Plan
    data: TargetData
    folder: Path


@dataclass(frozen=True)
class Tried:
    """A rung that was measured on validation.

    Attributes:
        result: one entry a seed, without test.
        models: to try and write weights with.
        weights: of a seed; of rungs with one model for all seeds the same.
        chosen: what validation chose, in words.
        shared: there is one model for all seeds.
    """

    result: RunResult
    models: SeedModels
    weights: Callable[[int], Mapping[str, Tensor]]
    chosen: str
    shared: bool = False


def _trained(ground: Ground, plan: Plan) -> Tried:
    """Train a plan, or find it trained, with the weights of every seed and without the test."""
    folder = ground.folder / plan.name
    result = run(
        plan,
        results=ground.folder / f"{plan.name}.json",
        seeds_dir=folder,
        test=False,
        data=ground.data,
        logs_dir=ground.folder.parent / "logs" / ground.folder.name,
    )
    models = SeedModels(plan, ground.data, folder)
    return Tried(result, models, models.weights, f"rate {result.seeds[0].learning_rate:g}")


def _lp_ft(ground: Ground) -> Tried | str:
    if is_lp_ft(ground.plan):
        return "the transfer is LP-FT already"
    return _trained(ground, lp_ft_plan(ground.plan))


def _wise_ft(ground: Ground) -> Tried | str:
    """Walk from the pretrained weights under the probed head to those of LP-FT.

    References:
        Wortsman et al., "Robust fine-tuning of zero-shot models" (2022).
    """
    ends = _trained(ground, lp_ft_plan(ground.plan))
    metric, seeds = ground.plan.metric, ends.result.seeds
    found = {alpha: list[dict[str, float]]() for alpha in ALPHAS}
    for each in seeds:
        start, end = ends.models.weights(each.seed, start=True), ends.weights(each.seed)
        for alpha, weights in line(start, end, ALPHAS):
            found[alpha].append(ends.models.answers(weights, "validation").metrics)
    # One alpha for all seeds: one for each would follow the noise of a validation split.
    best = max(ALPHAS, key=lambda alpha: sum(each[metric] for each in found[alpha]))

    def weights_of(seed: int) -> Mapping[str, Tensor]:
        start, end = ends.models.weights(seed, start=True), ends.weights(seed)
        return interpolated(start, end, best)

    result = _with_validation(ends.result, "wise-ft", found[best])
    return Tried(result, ends.models, weights_of, f"alpha {best:g}")


def _greedy_soup(ground: Ground) -> Tried | str:
    """Average seeds of LP-FT, the best one first; the jackknife says how much seeds matter.

    References:
        Wortsman et al., "Model soups" (2022).
    """
    ends = _trained(ground, lp_ft_plan(ground.plan))
    metric = ground.plan.metric
    alone = {each.seed: each.validation[metric] for each in ends.result.seeds}

    def mixed(members: Sequence[int]) -> dict[str, Tensor]:
        return mean_weights([ends.weights(seed) for seed in members])

    def together(members: Sequence[int]) -> float:
        return ends.models.answers(mixed(members), "validation").metrics[metric]

    members, whole = greedy_soup(alone, together)
    if len(members) == 1:
        return "no average of seeds is as good as the best seed, and that one alone is luck"
    without = []
    for left_out in alone:
        others = {seed: value for seed, value in alone.items() if seed != left_out}
        without.append(greedy_soup(others, together)[1])
    scores = [{metric: score} for score in jackknife_scores(whole, without)]
    result = _with_validation(ends.result, "greedy-soup", scores)
    chosen = "seeds " + ", ".join(map(str, members))
    return Tried(result, ends.models, lambda _: mixed(members), chosen, shared=True)


def _adapter_only(ground: Ground) -> Tried | str:
    """Train LoRA and the head on the frozen backbone, which cannot forget the source.

    References:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021).
    """
    if is_adapter_only(ground.plan) and len(ground.plan.learning_rates) >= ENOUGH_RATES:
        return "the transfer is this adapter already, and its rate was tuned"
    return _trained(ground, adapter_plan(ground.plan))


def _frozen_probe(ground: Ground) -> Tried | str:
    if is_probe(ground.plan) and len(ground.plan.learning_rates) >= ENOUGH_RATES:
        return "the transfer is a frozen probe already, and its rate was tuned"
    return _trained(ground, probe_plan(ground.plan))


def _with_validation(
    result: RunResult, name: str, validation: Sequence[Mapping[str, float]]
) -> RunResult:
    pairs = zip(result.seeds, validation, strict=True)
    seeds = tuple(replace(each, validation=metrics, curve=()) for each, metrics in pairs)
    best = max(seeds, key=lambda each: each.validation[result.plan.metric])
    plan = replace(result.plan, name=name)
    return replace(result, plan=plan, seeds=seeds, best_seed=best.seed)


RUNGS: Mapping[RungName, Callable[[Ground], Tried | str]] = MappingProxyType(
    {
        "lp-ft": _lp_ft,
        "wise-ft": _wise_ft,
        "greedy-soup": _greedy_soup,
        "adapter-only": _adapter_only,
        "frozen-probe": _frozen_probe,
    }
)
