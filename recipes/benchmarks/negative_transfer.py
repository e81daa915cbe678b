r"""Hold the forecast of a ranking, help or harm, against what training over paired seeds finds.

The image pairs, an hour or two on one core:
    python recipes/benchmarks/negative_transfer.py --data FOLDER --kinds images

A first look, some minutes:
    python recipes/benchmarks/negative_transfer.py --data FOLDER \
        --out runs/benchmarks/harm-look.jsonl --targets digits/usps --sizes 50 200 --seeds 5
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from negative_transfer_comparison.plan import PARTS, SIZES, SOURCES, TARGETS, places_of
from negative_transfer_comparison.settings import Settings
from rich.console import Console
from tuning.lines import Lines
from tuning.source import KINDS

console = Console()


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    options = _options()
    if options.table:
        from negative_transfer_comparison.tables import tables

        for table in tables(Lines(options.out)):
            print(table.markdown(), end="\n\n")
        return
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_TL_CACHE"] = str(options.work / "cache")
    settings = _settings(options)
    _measure(options, settings, Lines(options.out, settings.environment()))


def _measure(options: argparse.Namespace, settings: Settings, lines: Lines) -> None:
    from negative_transfer_comparison.forecasts import measure_forecasts
    from negative_transfer_comparison.sources import made
    from negative_transfer_comparison.tables import tables
    from negative_transfer_comparison.training import Trainings

    targets = [name for name in options.targets if TARGETS[name].kind in options.kinds]
    places = places_of(targets, options.sources, options.sizes)
    pairs = sum(len(place.sources) for place in places)
    print(f"{pairs} pairs of a source and a target in a size, {options.seeds} seeds")
    if "sources" in options.only:
        for name in dict.fromkeys(name for place in places for name in place.sources):
            began = time.perf_counter()
            if made(name, settings):
                _say(f"made {name}: {time.perf_counter() - began:.0f} s")
    if "trainings" in options.only:
        Trainings(lines, settings, _say).train_all(places, options.seeds)
    if "forecasts" in options.only:
        measure_forecasts(places, lines, settings, _say)
    for table in tables(lines):
        console.print(table.rich())


def _say(line: str) -> None:
    print(line, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Forecasts of harm against what training finds")
    out = Path("runs/benchmarks/negative-transfer.jsonl")
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument("--work", type=Path, help="sources lie here; default: beside --out")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--seeds", type=int, default=10, help="paired seeds of each pair")
    parser.add_argument("--validation-rows", type=int, default=200, help="that choose a rate")
    parser.add_argument("--test-rows", type=int, default=1000)
    parser.add_argument("--source-rows", type=int, default=5000, help="that a source learns")
    parser.add_argument("--steps", type=int, default=150, help="of a training, at least")
    parser.add_argument("--epochs", type=int, default=2, help="of a training, at least")
    parser.add_argument("--text-rates", nargs="+", type=float, default=[1e-4, 3e-4, 1e-3])
    parser.add_argument("--image-rates", nargs="+", type=float, default=[1e-3, 3e-3, 1e-2])
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=28)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.work is None:
        options.work = options.out.with_name(f"{options.out.stem}-work")
    if not options.table and options.data is None:
        parser.error("--data is needed")
    return options


def _settings(options: argparse.Namespace) -> Settings:
    from hf_transfer_plugin.environment import environment

    return Settings(
        data=options.data,
        work=options.work,
        validation_rows=options.validation_rows,
        test_rows=options.test_rows,
        source_rows=options.source_rows,
        steps=options.steps,
        epochs=options.epochs,
        rates={"text": options.text_rates, "images": options.image_rates},
        max_length=options.max_length,
        image_size=options.image_size,
        threads=options.threads,
        accelerator=environment()["accelerator"],
    )


if __name__ == "__main__":
    main()
