"""Compare freezing schedules across tools, and measure what this package's callback costs.

The whole benchmark, an hour to an hour and a half on one core:
    python recipes/benchmarks/schedules.py --data FOLDER --out runs/benchmarks/schedules.json

A first look at everything, a few minutes:
    python recipes/benchmarks/schedules.py --data FOLDER --out runs/benchmarks/look.json \
        --examples 64 --epochs 2 --seeds 1 --repeats 1
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from measured.process import in_child
from rich.console import Console
from schedule_comparison.measuring import make_inputs_in_child, measure_in_child
from schedule_comparison.results import Results
from schedule_comparison.runs import (
    DATASETS,
    PARTS,
    TOOLS,
    Run,
    ablation_runs,
    agreement_runs,
    comparison_runs,
    overhead_run,
    rate_runs,
)
from schedule_comparison.tables import tables

console = Console()


def main() -> None:
    """Train what the results file lacks, then show the tables."""
    options = _options()
    if options.table:
        for table in tables(Results.read(options.out)):
            print(table.markdown(), end="\n\n")
        return
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    environment = {"threads": options.threads, "machine": platform.machine()}
    results = Results(options.out, environment)
    failed = [run for run in _missing(results, options) if not _measured(run, results, options)]
    for table in tables(results):
        console.print(table.rich())
    if failed:
        sys.exit(f"{len(failed)} runs failed; run the same command again for them alone")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Freezing schedules compared across tools")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/schedules.json"))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=["others", "overhead", "ablation"]
    )
    parser.add_argument(
        "--datasets",
        nargs="+",
        choices=DATASETS,
        default=list(DATASETS),
        help="of others and rates",
    )
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--examples", type=int, default=300, help="for training, stratified")
    parser.add_argument("--epochs", type=int, help="instead of those chosen for each data set")
    parser.add_argument("--repeats", type=int, default=7, help="of the overhead measurement")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if not options.table and options.data is None:
        parser.error("--data is needed")
    return options


def _missing(results: Results, options: argparse.Namespace) -> list[Run]:
    seeds, examples, epochs = options.seeds, options.examples, options.epochs
    wanted: dict[str, Callable[[], list[Run]]] = {
        "agreement": agreement_runs,
        "rates": lambda: rate_runs(options.datasets, examples, epochs),
        "overhead": lambda: [overhead_run(examples, options.repeats)],
        "others": lambda: comparison_runs(options.datasets, options.tools, seeds, examples, epochs),
        "ablation": lambda: ablation_runs(seeds, examples, epochs),
    }
    runs = [run for part, plan in wanted.items() if part in options.only for run in plan()]
    return [run for run in dict.fromkeys(runs) if run not in results]


def _measured(run: Run, results: Results, options: argparse.Namespace) -> bool:
    inputs = options.out.parent / "inputs" / f"{run.dataset}-{run.examples}"
    log = options.out.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    ready = inputs.is_dir() or in_child(make_inputs_in_child, run, options.data, inputs, log)
    result = ready and in_child(measure_in_child, run, inputs, log)
    if not result:
        console.print(f"[red]failed[/red]: {run.label}")
        console.print(log.read_text(encoding="utf-8")[-3000:], markup=False, highlight=False)
        return False
    results.add(run, result)
    accuracy = f"{result['accuracy']:.3f}, " if "accuracy" in result else ""
    console.print(f"{run.label}: {accuracy}{time.perf_counter() - began:.0f} s in all")
    return True


if __name__ == "__main__":
    main()
