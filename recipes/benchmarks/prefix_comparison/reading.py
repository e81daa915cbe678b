"""Results of one data set, by arm and seed."""

from __future__ import annotations

import statistics
from typing import Any

from schedule_comparison.results import Results
from schedule_comparison.runs import Run

__all__ = ["by_seed", "median_ratio", "require_same_batches", "scaled"]


def by_seed(results: Results, dataset: str, arm: str) -> dict[int, dict[str, Any]]:
    """Return seed -> result of an arm.

    Raises:
        ValueError: when the file has the arm with different numbers of rows or epochs.
    """
    runs = [run for run in results if run.dataset == dataset and run.tool == arm]
    if len({run.seed for run in runs}) < len(runs):
        raise ValueError(f"{dataset}, {arm} was measured in several sizes: give each its own --out")
    return {run.seed: results[run] for run in runs}


def median_ratio(results: Results, dataset: str, arm: str, other: str) -> float | None:
    """Return the median over seeds of the ratio of two arms' times; None without both."""
    ours, theirs = scaled(results, dataset, arm), scaled(results, dataset, other)
    ratios = [ours[seed] / theirs[seed] for seed in ours if seed in theirs]
    return statistics.median(ratios) if ratios else None


def scaled(results: Results, dataset: str, arm: str) -> dict[int, float]:
    """Return seed -> seconds, those of full fine-tuning for as many epochs as the others train."""
    seconds = {seed: each["seconds"] for seed, each in by_seed(results, dataset, arm).items()}
    if arm != "full":
        return seconds
    factor = _probe_epochs(results, dataset) / _epochs(results, dataset, arm)
    return {seed: factor * each for seed, each in seconds.items()}


def require_same_batches(results: Results) -> None:
    """Check that all trainings of a data set that are alike took the same steps.

    Raises:
        ValueError: naming two that did not.
    """
    first: dict[tuple[object, ...], Run] = {}
    for run in results:
        if "batches" not in results[run]:
            continue
        other = first.setdefault((run.dataset, run.seed, run.epochs, run.examples), run)
        for what in ("batches", "steps"):
            if results[run][what] != results[other][what]:
                raise ValueError(f"{run.label} and {other.label} differ in their {what}")


def _probe_epochs(results: Results, dataset: str) -> int:
    epochs = [run.epochs for run in results if run.dataset == dataset and run.method == "probe"]
    return max(epochs, default=_epochs(results, dataset, "full"))


def _epochs(results: Results, dataset: str, arm: str) -> int:
    return next(run.epochs for run in results if (run.dataset, run.tool) == (dataset, arm))
