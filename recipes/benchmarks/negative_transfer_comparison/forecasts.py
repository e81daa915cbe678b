"""What a ranking forecasts of each pair before anything trains."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tuning.lines import Lines
from tuning.source import KINDS

from hf_transfer_plugin import rank_checkpoints
from hf_transfer_plugin.select.ranking import DEFAULT_SCORES
from negative_transfer_comparison.plan import Place
from negative_transfer_comparison.settings import Settings
from negative_transfer_comparison.sources import source_folder
from negative_transfer_comparison.training import Say, read_place

__all__ = ["measure_forecasts"]


def measure_forecasts(places: Sequence[Place], lines: Lines, settings: Settings, say: Say) -> None:
    """Rank the sources of each place as a user would, and keep what is forecast of each."""
    for place in places:
        key = place.forecast_key
        if key in lines and set(lines[key]["forecasts"]) == set(place.sources):
            continue
        began = time.perf_counter()
        folders = {name: str(source_folder(name, settings)) for name in place.sources}
        task = KINDS[place.kind]
        ranking = rank_checkpoints(
            list(dict.fromkeys(folders.values())),
            read_place(place, settings),
            task=task,
            scores=DEFAULT_SCORES[task][:1],
        )
        found: dict[str, dict[str, dict[str, float | str]]] = {name: {} for name in place.sources}
        for each in ranking.forecasts:
            for name in place.sources:
                if folders[name] == each.checkpoint:
                    found[name][each.baseline] = {
                        "difference": each.difference,
                        "lower": each.lower,
                        "upper": each.upper,
                        "expected": each.expected,
                    }
        seconds = time.perf_counter() - began
        lines.add(key, {"score": ranking.score, "forecasts": found, "seconds": seconds})
        say(f"{', '.join(key)}: {len(found)} sources, {seconds:.0f} s")
