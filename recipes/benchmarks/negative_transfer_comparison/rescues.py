"""The ladder of rescues, climbed for pairs whose transfer is no `go`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from math import ceil
from statistics import fmean

from tuning.lines import Lines
from tuning.source import KINDS
from tuning.training import BATCH

from hf_transfer_plugin import Line, RunConfig, rescue
from hf_transfer_plugin.records import Rescue, Rung
from negative_transfer_comparison.judged import MARGIN, JudgedPair
from negative_transfer_comparison.plan import SOURCES
from negative_transfer_comparison.settings import Settings
from negative_transfer_comparison.sources import source_folder, spec_of
from negative_transfer_comparison.training import Say, place_folder

__all__ = ["SEEDS", "measure_rescues"]

#: Paired seeds of the lines that are rescued.
SEEDS = 5


def measure_rescues(
    pairs: Sequence[JudgedPair], most: int, lines: Lines, settings: Settings, say: Say
) -> None:
    """Run lines as a user would, and rescue those that are no `go`.

    Args:
        pairs: as judged; of those that are no `go` the first are taken of each target and size
            in turn.
        most: number of pairs.
        lines: the results.
        settings: of all trainings.
        say: takes a line of progress.
    """
    for pair in _spread([each for each in pairs if not each.verdict.go])[:most]:
        key = pair.place.rescue_key(pair.source)
        if key in lines:
            continue
        began = time.perf_counter()
        line = _line(pair, settings)
        found = rescue(line)
        transfer, control, *_ = line.run()
        lines.add(
            key,
            {
                "go": found.harm.go,
                "outcome": found.harm.outcome,
                "transfer": fmean(transfer.scores()),
                "control": fmean(control.scores()),
                "rung": found.accepted.name if found.accepted else "",
                "rungs": [_rung(each) for each in found.rungs],
                "rescued": _rescued(found),
                "seconds": time.perf_counter() - began,
            },
        )
        shutil.rmtree(line.folder)
        say(f"{', '.join(key)}: {time.perf_counter() - began:.0f} s")


def _rescued(found: Rescue) -> list[float] | None:
    """Return test accuracy, outcome's ends against the control; None where a side is returned."""
    if found.verdict is None:
        return None
    return [found.verdict.transfer_mean, found.verdict.lower, found.verdict.upper]


def _rung(rung: Rung) -> list[str | float | None]:
    """Return its name, difference to the control on validation, and the lower end of that."""
    tried = bool(rung.validation)
    return [rung.name, rung.difference if tried else None, rung.lower if tried else None]


def _spread(pairs: Sequence[JudgedPair]) -> list[JudgedPair]:
    """Return the pairs in an order that takes one of each place in turn."""
    seen: dict[str, int] = {}
    rounds = []
    for pair in pairs:
        place = f"{pair.place.target} {pair.place.rows}"
        seen[place] = seen.get(place, 0) + 1
        rounds.append((seen[place], pair))
    return [pair for _, pair in sorted(rounds, key=lambda each: each[0])]


def _line(pair: JudgedPair, settings: Settings) -> Line:
    place, source = pair.place, SOURCES[pair.source]
    rates = tuple(settings.rates[place.kind])
    name = "-".join(place.rescue_key(pair.source)[1:]).replace("/", "-")
    epochs = max(settings.epochs, ceil(settings.steps * BATCH / place.rows))
    return Line(
        RunConfig(
            task=KINDS[place.kind],
            data=spec_of(place_folder(place, settings), place.kind, settings),
            run_folder=str(settings.work / "lines" / name),
            checkpoint=str(source_folder(pair.source, settings)),
            schedule={"name": "linear_probe" if source.frozen else "full"},
            training={
                "num_train_epochs": epochs,
                "lr_scheduler_type": "linear",
                "warmup_steps": 0.1,
                "weight_decay": 0.0,
            },
            batch_size=BATCH,
            learning_rates=rates,
            seeds=tuple(range(SEEDS)),
            controls=("from-scratch",),
            control_learning_rates=rates,
            rank_examples=min(place.rows, 200),
            margin=MARGIN,
            watch="off",
        )
    )
