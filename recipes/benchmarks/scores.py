"""Measure the seconds of every score beside one singular value decomposition of its table.

All of it, about an hour on one core (the linear probe and NLEEP take most of it):
    python recipes/benchmarks/scores.py --out runs/benchmarks/scores.json

A first look, some seconds:
    python recipes/benchmarks/scores.py --examples 2000 --dimensions 64 --classes 10 \
        --out runs/benchmarks/scores-look.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from measured.process import in_child
from rich.console import Console
from score_comparison.measuring import Size, measure_in_child
from score_comparison.published import facts_in_child
from score_comparison.tables import tables

from hf_transfer_plugin.select.scores import SCORES

console = Console()


def main() -> None:
    """Measure what the results file lacks, then show the tables."""
    options = _options()
    stored = json.loads(options.out.read_text("utf-8")) if options.out.is_file() else None
    if options.table:
        if stored is None:
            sys.exit(f"{options.out} does not exist: measure first, without --table")
        for table in tables(stored):
            print(table.markdown(), end="\n\n")
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    environment = {
        "examples": options.examples,
        "dimensions": options.dimensions,
        "classes": options.classes,
        "threads": options.threads,
        "machine": platform.machine(),
    }
    if stored is None:
        stored = {"environment": environment, "facts": in_child(facts_in_child), "results": []}
    if stored["environment"] != environment:
        sys.exit(f"{options.out} was measured with {stored['environment']}: give another --out")
    failed = [
        name
        for name, repeat in _missing(stored, options)
        if not _add(stored, name, repeat, options)
    ]
    for table in tables(stored):
        console.print(table.rich())
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; run the same command again for them alone")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The scores, beside one SVD")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/scores.json"))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--scores", nargs="+", choices=SCORES, default=list(SCORES))
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=1024)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3, help="each has its own table")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _missing(stored: dict[str, Any], options: argparse.Namespace) -> list[tuple[str, int]]:
    known = {(each["score"], each["repeat"]) for each in stored["results"]}
    planned = [(name, repeat) for repeat in range(options.repeats) for name in options.scores]
    return [each for each in planned if each not in known]


def _add(stored: dict[str, Any], name: str, repeat: int, options: argparse.Namespace) -> bool:
    size = Size(options.examples, options.dimensions, options.classes)
    found = in_child(measure_in_child, name, repeat, size)
    if found is None:
        console.print(f"[red]failed[/red]: {name}, repeat {repeat}")
        return False
    stored["results"].append({"score": name, "repeat": repeat, **found})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(stored, indent=1), encoding="utf-8")
    ratio = found["processor_seconds"] / found["svd_processor_seconds"]
    console.print(f"{name}, repeat {repeat}: {found['seconds']:.1f} s, {ratio:.2f} times the SVD")
    return True


if __name__ == "__main__":
    main()
