"""Trainings of a run, recorded, and the run stopped at one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hf_transfer_plugin.records import Plan, RunResult
from hf_transfer_plugin.train import training

__all__ = ["record_trainings", "stored_seeds"]


def record_trainings(
    monkeypatch: pytest.MonkeyPatch, stop_at: int | None = None
) -> list[tuple[str, int]]:
    """Record name of the plan and seed of each training, and let one of them be killed.

    Args:
        monkeypatch: of the test.
        stop_at: number of the training that is killed, from 1.
    """
    real: Callable[..., Any] = training.train_once
    calls: list[tuple[str, int]] = []

    def count(plan: Plan, seed: int, *given: Any) -> Any:
        calls.append((plan.name, seed))
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return real(plan, seed, *given)

    monkeypatch.setattr(training, "train_once", count)
    return calls


def stored_seeds(name: str, folder: str = "run") -> list[int]:
    """Return the seeds of a plan that a run folder holds."""
    return [each.seed for each in RunResult.load(Path(folder) / "results" / f"{name}.json").seeds]
