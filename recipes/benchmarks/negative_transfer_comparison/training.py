"""The trainings: each side chooses its rate with the first seed, then trains the other seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from tuning.lines import Lines
from tuning.rows import draw, read, write
from tuning.source import KINDS
from tuning.training import BATCH, Rows, Watched, hits_of, in_memory, tuned

from hf_transfer_plugin import NegativeTransferCallback
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData, load_data, prepare
from negative_transfer_comparison.choosing import chosen_rate
from negative_transfer_comparison.curves import curve_of
from negative_transfer_comparison.plan import SOURCES, Place
from negative_transfer_comparison.settings import Settings
from negative_transfer_comparison.sources import source_folder, spec_of

__all__ = ["Trainings", "place_folder", "read_place"]

Say = Callable[[str], None]


def place_folder(place: Place, settings: Settings) -> Path:
    """Return where the rows of a target in a size lie: stratified samples, for everybody."""
    wanted = {"validation": settings.validation_rows, "test": settings.test_rows}
    held = f"targets-{settings.validation_rows}-{settings.test_rows}"
    folder = settings.work / held / f"{place.target}-{place.rows}"
    if not folder.is_dir():
        splits = {
            role: draw(read(settings.data / place.target / f"{role}.parquet"), rows)[0]
            for role, rows in {"train": place.rows, **wanted}.items()
        }
        write(splits, folder)
    return folder


def read_place(place: Place, settings: Settings) -> TargetData:
    """Return the rows of a target in a size, checked."""
    spec = spec_of(place_folder(place, settings), place.kind, settings)
    return load_data(spec, KINDS[place.kind])


@dataclass(frozen=True)
class _Held:
    """Rows of a place as networks take them."""

    data: TargetData
    prepared: Prepared
    rows: dict[str, Rows]


class Trainings:
    """Trains what a results file lacks.

    Sources of one kind of data read inputs alike, so the rows of a place are prepared once.

    Args:
        lines: the results.
        settings: of all trainings.
        say: takes a line of progress.
    """

    def __init__(self, lines: Lines, settings: Settings, say: Say) -> None:
        self._lines = lines
        self._settings = settings
        self._say = say
        self._held: dict[Place, _Held] = {}

    def train_all(self, places: Sequence[Place], seeds: int) -> None:
        """Train every arm of every place: the grid first, then seed by seed."""
        for seed in range(seeds):
            for place in places:
                began = time.perf_counter()
                trained = sum(self._train_arm(place, arm, seed) for arm in place.arms)
                if trained:
                    spent = time.perf_counter() - began
                    where = f"{place.target}, {place.rows} rows, seed {seed}"
                    self._say(f"{where}: {trained} trainings, {spent:.0f} s")

    def _train_arm(self, place: Place, arm: str, seed: int) -> int:
        """Return how many trainings were made."""
        rates = self._settings.rates[place.kind]
        if seed:
            chosen = chosen_rate(place, arm, self._lines, rates)
            rates = [] if chosen is None else [chosen]
        missing = [rate for rate in rates if place.key(arm, rate, seed) not in self._lines]
        for rate in missing:
            self._train(place, arm, rate, seed)
        return len(missing)

    def _train(self, place: Place, arm: str, rate: float, seed: int) -> None:
        began = time.perf_counter()
        source = place.arms[arm]
        held = self._rows(place, source)
        watch = NegativeTransferCallback(metric="accuracy", drift=False)
        model = tuned(
            Checkpoint(str(source_folder(source, self._settings))),
            held.data,
            held.rows["train"],
            held.prepared.collate,
            seed=seed,
            epochs=max(self._settings.epochs, ceil(self._settings.steps * BATCH / place.rows)),
            rate=rate,
            weights="pretrained" if arm == source else "random",
            head_only=arm == source and SOURCES[source].frozen,
            watched=Watched(held.rows["validation"], self._settings.evaluations, watch),
        )
        found: dict[str, Any] = {"curve": curve_of(watch)}
        for role in ("validation", "test"):
            hits = hits_of(model, held.rows[role], held.prepared.collate)
            found[role] = sum(hits) / len(hits)
        result = {**found, "seconds": time.perf_counter() - began}
        self._lines.add(place.key(arm, rate, seed), result)

    def _rows(self, place: Place, source: str) -> _Held:
        if place not in self._held:
            data = read_place(place, self._settings)
            checkpoint = Checkpoint(str(source_folder(source, self._settings)))
            prepared = prepare(checkpoint, data)
            rows = {role: in_memory(prepared, role) for role in prepared.splits}
            self._held[place] = _Held(data, prepared, rows)
        return self._held[place]
