"""What the runs took, and an estimate of their energy where no counter measured it."""

from __future__ import annotations

from hf_transfer_plugin.records import Report, RunCost, RunResult, SeedResult
from hf_transfer_plugin.report.names import one_line
from hf_transfer_plugin.report.rows import Cells
from hf_transfer_plugin.report.words import number

__all__ = ["cost_cells", "energy_sentence", "watt_hours"]

_GIGABYTE, _SECONDS = 1e9, 3600.0
#: Watts of a processor core that is not known better, and of a gigabyte of memory.
_CORE, _MEMORY = 12.0, 0.3725


def watt_hours(seconds: float, cost: RunCost) -> float | None:
    """Return the energy of a run in watt-hours: as measured, else time × power of the device.

    An accelerator is taken at the power limit of its board, a processor at 12 W for each thread
    and 0.3725 W for each gigabyte that the process held; None where the power is not known.

    References:
        Lannelongue et al., "Green Algorithms: Quantifying the Carbon Footprint of Computation"
        (2021), for the watts of processors and memory.
    """
    if cost.joules is not None:
        return cost.joules / _SECONDS
    if cost.device:
        return None if cost.power_limit is None else cost.power_limit * seconds / _SECONDS
    held = (cost.peak_memory or 0) / _GIGABYTE
    return (cost.threads * _CORE + held * _MEMORY) * seconds / _SECONDS


def cost_cells(report: Report) -> Cells | None:
    """Return time, work, memory and energy of each plan; None where nothing was measured."""
    results = [(result, _runs(result)) for result in report.results]
    runs = [run for _, each in results for run in each]
    if not any(run.cost for run in runs):
        return None
    rows = [(one_line(result.plan.name), *_row(each)) for result, each in results]
    rows.append(("all runs", *_row(runs)))
    return Cells(
        "Training with its evaluations, over all seeds that are reported; tries of a grid of "
        "learning rates come on top. A forward pass is one batch, trained on or answered.",
        ("Plan", "Seconds", "Optimizer steps", "Forward passes", "Peak memory, GB", "Energy, Wh"),
        rows,
    )


def _runs(result: RunResult) -> tuple[SeedResult, ...]:
    # A baseline is fitted once; its other seeds are copies.
    return result.seeds[:1] if result.plan.checkpoint.startswith("baseline:") else result.seeds


def _row(runs: tuple[SeedResult, ...] | list[SeedResult]) -> tuple[str, ...]:
    costs = [(run.wall_seconds, run.cost) for run in runs if run.cost is not None]
    passes = sum(cost.training_passes + cost.evaluation_passes for _, cost in costs)
    memory = [cost.peak_memory for _, cost in costs if cost.peak_memory is not None]
    energy = [watt_hours(seconds, cost) for seconds, cost in costs]
    known = [each for each in energy if each is not None]
    steps = sum(run.steps for run in runs)
    return (
        number(sum(run.wall_seconds for run in runs), 1),
        f"{steps:,}" if steps else "–",
        f"{passes:,}" if passes else "–",
        number(max(memory) / _GIGABYTE, 2) if memory else "–",
        number(sum(known), 2) if known and len(known) == len(energy) else "–",
    )


def energy_sentence(report: Report) -> str:
    """Return where the figures of energy come from."""
    costs = [run.cost for result in report.results for run in result.seeds if run.cost]
    if not costs:
        return ""
    if all(cost.joules is not None for cost in costs):
        what = "the board" if costs[0].device else "the processor"
        return f"Energy was measured by the counter of {what}, with all else that ran on it."
    first = costs[0]
    if not first.device:
        return (
            "Energy is an estimate, not a measurement: time × (12 W for each processor thread, "
            f"here {first.threads}, + 0.3725 W for each gigabyte held), the figures of Green "
            "Algorithms (Lannelongue et al., 2021) for a processor that is not known; without "
            "cooling."
        )
    if first.power_limit is None:
        return f"Energy is not known: {one_line(first.device)} tells neither use nor power limit."
    return (
        "Energy is an estimate, not a measurement: time × the power limit of "
        f"{one_line(first.device)}, {first.power_limit:g} W, an upper bound for the board; the "
        "rest of the machine is left out."
    )
