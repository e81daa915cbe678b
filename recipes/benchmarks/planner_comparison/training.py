"""One training at a place that no rule was made on."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from how_comparison.arms import Trial
from how_comparison.places import Place
from how_comparison.settings import Settings
from how_comparison.training import train_on
from how_comparison.ways import HEAD
from tuning.training import in_memory

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, load_data
from hf_transfer_plugin.data import prepare as prepare_data

__all__ = ["read", "train"]


def train(trial: Trial, settings: Settings) -> dict[str, Any]:
    """Train and test; see `how_comparison.training.train_on`."""
    data, prepared = read(trial.place, settings)
    return train_on(trial, settings, data, prepared, cached=trial.way == HEAD)


@lru_cache(maxsize=2)
def read(place: Place, settings: Settings) -> tuple[TargetData, Prepared]:
    """Return the rows of a place, in memory as networks take them."""
    spec = place.spec(f"{settings.data}/{place.dataset}", settings.max_length, settings.image_size)
    data = load_data(spec, place.target.task)
    prepared = prepare_data(Checkpoint(place.target.checkpoint), data)
    rows: dict[str, Any] = {role: in_memory(prepared, role) for role in prepared.splits}
    return data, replace(prepared, splits=rows)
