"""Measure a frozen backbone with and without `prefix_cache`, and what others do in its place.

The whole benchmark, some hours on two cores:
    python recipes/benchmarks/prefix.py --data FOLDER --out runs/benchmarks/prefix.json

A first look at everything, some minutes:
    python recipes/benchmarks/prefix.py --data FOLDER --out runs/benchmarks/look.json \
        --limit-rows 300 --repeats 1
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from measured.process import in_child
from prefix_comparison.measuring import measure_in_child
from prefix_comparison.plan import ARMS, DATASETS, PARTS, needs, runs_of
from prefix_comparison.settings import Settings
from prefix_comparison.tables import tables
from rich.console import Console
from schedule_comparison.results import Results
from schedule_comparison.runs import Run

console = Console()


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    options = _options()
    if options.table:
        for table in tables(Results.read(options.out)):
            print(table.markdown(), end="\n\n")
        return
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    environment = {
        "threads": options.threads,
        "machine": platform.machine(),
        "image_size": options.image_size,
    }
    results = Results(options.out, environment)
    failed = [run for run in _missing(results, options) if not _measured(run, results, options)]
    shutil.rmtree(_work(options) / "cache", ignore_errors=True)
    for table in tables(results):
        console.print(table.rich())
    if failed:
        sys.exit(f"{len(failed)} runs failed; run the same command again for them alone")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A frozen backbone, cached and not")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/prefix.json"))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--repeats", "--seeds", type=int, default=3, help="each has its own seed")
    parser.add_argument("--limit-rows", type=int, default=0, help="of train (stratified) and test")
    parser.add_argument("--epochs", type=int, default=10, help="with a frozen backbone")
    parser.add_argument("--full-epochs", type=int, default=1, help="of full fine-tuning")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if not options.table and options.data is None and options.only != ["memory"]:
        parser.error("--data is needed")
    return options


def _missing(results: Results, options: argparse.Namespace) -> list[Run]:
    planned = runs_of(
        options.only,
        options.datasets,
        options.arms,
        repeats=options.repeats,
        examples=options.limit_rows,
        epochs=options.epochs,
        full_epochs=options.full_epochs,
    )
    missing = [run for run in planned if run not in results]
    before = {needs(run) for run in missing}
    return [run for run in planned if run in missing or run in before]


def _measured(run: Run, results: Results, options: argparse.Namespace) -> bool:
    settings = Settings(options.data, _work(options), options.image_size, options.threads)
    log = options.out.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    result = in_child(measure_in_child, run, settings, log)
    if not result:
        console.print(f"[red]failed[/red]: {run.label}")
        console.print(log.read_text(encoding="utf-8")[-3000:], markup=False, highlight=False)
        return False
    results.add(run, result)
    accuracy = f", accuracy {result['accuracy']:.3f}" if "accuracy" in result else ""
    whole = time.perf_counter() - began
    console.print(f"{run.label}: {result['seconds']:.2f} s{accuracy}, {whole:.0f} s in all")
    return True


def _work(options: argparse.Namespace) -> Path:
    work: Path = options.out.with_name(f"{options.out.stem}-work")
    return work


if __name__ == "__main__":
    main()
