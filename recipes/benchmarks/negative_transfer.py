r"""Hold the forecast of a ranking, help or harm, against what training over paired seeds finds.

The image pairs, an hour or two on one core:
    python recipes/benchmarks/negative_transfer.py --data FOLDER --kinds images

A first look, some minutes:
    python recipes/benchmarks/negative_transfer.py --data FOLDER \
        --out runs/benchmarks/harm-look.jsonl --targets digits/usps --sizes 50 200 --seeds 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from measured.table import Table
from negative_transfer_comparison.plan import (
    PARTS,
    SIZES,
    SOURCES,
    TARGETS,
    Place,
    network_of,
    places_of,
)
from negative_transfer_comparison.settings import Settings
from tuning.lines import Lines
from tuning.script import add_options, parsed, run, say, shared


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    options = _options()
    run(options, _settings, _measure, _tables)
    if options.picture is not None:
        _draw(options)


def _draw(options: argparse.Namespace) -> None:
    from negative_transfer_comparison.judged import judged_pairs
    from negative_transfer_comparison.roc_picture import roc_picture

    options.picture.write_bytes(roc_picture(judged_pairs(Lines(options.out))))


def _tables(lines: Lines) -> list[Table]:
    from negative_transfer_comparison.tables import tables

    return tables(lines)


def _measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
    from negative_transfer_comparison.forecasts import measure_forecasts
    from negative_transfer_comparison.judged import judged_pairs
    from negative_transfer_comparison.rescues import measure_rescues
    from negative_transfer_comparison.sources import made
    from negative_transfer_comparison.training import Trainings

    targets = [name for name in options.targets if TARGETS[name].kind in options.kinds]
    places = places_of(targets, options.sources, options.sizes)
    pairs = sum(len(place.sources) for place in places)
    print(f"{pairs} pairs of a source and a target in a size, {options.seeds} seeds")
    if "sources" in options.only:
        for name in dict.fromkeys(network_of(name) for place in places for name in place.sources):
            began = time.perf_counter()
            if made(name, settings):
                say(f"made {name}: {time.perf_counter() - began:.0f} s")
    if "trainings" in options.only:
        Trainings(lines, settings, say).train_all(places, options.seeds)
    if "forecasts" in options.only:
        measure_forecasts(places, lines, settings, say)
    if "rescues" in options.only:
        asked = [each for each in judged_pairs(lines) if _is_in(each.place, each.source, places)]
        measure_rescues(asked, options.rescues, lines, settings, say)


def _is_in(place: Place, source: str, places: Sequence[Place]) -> bool:
    return any(
        (place.target, place.rows) == (each.target, each.rows) and source in each.sources
        for each in places
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Forecasts of harm against what training finds")
    add_options(parser, "runs/benchmarks/negative-transfer.jsonl", PARTS, TARGETS)
    parser.add_argument("--picture", type=Path, help="draws ROC curves of --out as PNG")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=10, help="paired seeds of each pair")
    parser.add_argument("--validation-rows", type=int, default=200, help="that choose a rate")
    parser.add_argument("--test-rows", type=int, default=1000)
    parser.add_argument("--source-rows", type=int, default=5000, help="that a source learns")
    parser.add_argument("--steps", type=int, default=150, help="of a training, at least")
    parser.add_argument("--evaluations", type=int, default=20, help="of a training")
    parser.add_argument("--rescues", type=int, default=40, help="pairs that are no go, rescued")
    parser.add_argument("--epochs", type=int, default=2, help="of a training, at least")
    parser.add_argument("--text-rates", nargs="+", type=float, default=[1e-4, 3e-4, 1e-3])
    parser.add_argument("--image-rates", nargs="+", type=float, default=[1e-3, 3e-3, 1e-2])
    parser.add_argument("--image-size", type=int, default=28)
    return parsed(parser)


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        **shared(options),
        validation_rows=options.validation_rows,
        steps=options.steps,
        evaluations=options.evaluations,
        rates={"text": options.text_rates, "images": options.image_rates},
    )


if __name__ == "__main__":
    main()
