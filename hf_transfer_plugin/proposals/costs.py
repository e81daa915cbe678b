"""What a way costs, in forward passes over the training rows: an estimate from the plan alone."""

from __future__ import annotations

from dataclasses import dataclass

from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.phases import Phase
from hf_transfer_plugin.proposal_records import Cost, Facts
from hf_transfer_plugin.proposals.ways import Way

__all__ = ["cost_of", "depths", "within_budget"]

# A step of full fine-tuning: forward, and twice as much back (Kaplan et al., Scaling Laws, 2020).
_STEP = 3.0
_BYTES = 4
_STATES = 3  # gradient and Adam's two moments
_HEAD_SHARE = 0.01
_ADAPTER_SHARE = 0.02
#: Time of a step over that of full fine-tuning: results/adapters_few_rows.md, "Costs on trec6".
_OF_FULL = {
    "lora": 0.73,
    "ia3": 0.71,
    "dora": 1.0,
    "layer_norm": 0.67,
    "adalora": 0.82,
    "lokr": 1.43,
}
_OTHER_ADAPTERS = 1.0
_BLOCKS = 6  # where their number is not known


@dataclass(frozen=True)
class _Stretch:
    """A phase: its share of the run, and the share of the network that trains."""

    share: float
    depth: float


def depths(way: Way, blocks: int) -> tuple[float, ...]:
    """Return for each phase which share of the network trains: 0 is the head alone, 1 all.

    Args:
        way: whose schedule is read.
        blocks: layer groups between input and head.
    """
    return tuple(each.depth for each in _stretches(way, blocks, None))


def _stretches(way: Way, blocks: int, epochs: float | None) -> list[_Stretch]:
    phases = FreezingSchedule.from_config(way.schedule).phases
    found, begin = [], 0.0
    for index, phase in enumerate(phases):
        end = 1.0
        if index < len(phases) - 1:
            end = _end(phase, epochs) or begin + (1.0 - begin) / (len(phases) - index)
        found.append(_Stretch(max(0.0, end - begin), _depth(phase, blocks or _BLOCKS)))
        begin = end
    return found


def _end(phase: Phase, epochs: float | None) -> float | None:
    if phase.until_fraction is not None:
        return phase.until_fraction
    if phase.until_epoch is not None and epochs:
        return min(1.0, phase.until_epoch / epochs)
    return None


def _depth(phase: Phase, blocks: int) -> float:
    found = [0.0]
    for selector in phase.train:
        top, _, count = selector.partition(":")
        if top == "top" and count.isdigit():
            found.append(min(1.0, int(count) / blocks))
        elif selector not in ("head", "neck"):
            found.append(1.0)
    return max(found)


def cost_of(way: Way, epochs: float, facts: Facts) -> Cost:
    """Return what all seeds of a way are expected to take.

    Frozen layers below what trains are computed once, where the prefix cache is on, there is no
    adapter (whose dropout keeps the cache off) and no objective reads the whole input. Reading data
    and validation come on top.

    Args:
        way: what trains.
        epochs: passes over the labelled rows.
        facts: of data, network and machine.
    """
    reads = way.objective.kind.reads if way.objective is not None else frozenset()
    whole_input = way.adapter is not None or reads & {"source", "source_head", "second_pass"}
    cached = facts.prefix_cache and not whole_input
    domains = 2.0 if "domains" in reads else 1.0
    adapter = 1.0
    if way.adapter is not None:
        adapter = _OF_FULL.get(way.adapter.name, _OTHER_ADAPTERS)
    step, once = 0.0, 0.0
    stretches = _stretches(way, facts.blocks, epochs)
    for each in stretches:
        frozen = 1.0 - each.depth
        once = max(once, 1.0 if cached and frozen else 0.0)
        forward_again = 0.0 if cached else frozen
        whole = adapter if each.depth == 1.0 else 1.0
        step += each.share * (_STEP * each.depth * whole + forward_again)
    if "source" in reads:
        step += 1.0
    if "second_pass" in reads:
        step *= 2.0
    passes = facts.seeds * domains * step * epochs + domains * once
    seconds = None if facts.pass_seconds is None else passes * facts.pass_seconds
    deepest = max(each.depth for each in stretches)
    trained = max(deepest if way.adapter is None else _ADAPTER_SHARE, _HEAD_SHARE)
    copies = 2 if "source" in reads else 1
    return Cost(
        examples=round(facts.seeds * epochs * facts.rows),
        passes=round(passes, 2),
        seconds=None if seconds is None else round(seconds, 1),
        memory=round(_BYTES * facts.parameters * (copies + _STATES * trained)),
    )


def within_budget(cost: Cost, facts: Facts) -> bool:
    """Tell whether a cost fits the budget, as far as both are known."""
    budget = facts.budget_minutes
    return budget is None or cost.seconds is None or cost.seconds <= 60 * budget
