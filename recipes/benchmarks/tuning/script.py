"""What the scripts of benchmarks that fine-tune share: options, environment and tables."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from measured.table import Table
from rich.console import Console

from tuning.lines import Lines
from tuning.settings import HasEnvironment
from tuning.source import KINDS

__all__ = ["add_options", "parsed", "run", "say", "shared"]

_Settings = TypeVar("_Settings", bound=HasEnvironment)
_SHARED = ("data", "work", "test_rows", "source_rows", "epochs", "max_length", "image_size")
_console = Console()


def add_options(
    parser: argparse.ArgumentParser, out: str, parts: Sequence[str], targets: Iterable[str]
) -> None:
    """Add the options that every such script has.

    Args:
        parser: of the script.
        out: the results file unless said otherwise.
        parts: of the benchmark.
        targets: names of data sets.
    """
    names = list(targets)
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--table", action="store_true", help="print --out as Markdown, and end")
    parser.add_argument("--data", type=Path, help="holds a folder of parquet files per data set")
    parser.add_argument("--work", type=Path, help="networks lie here; default: beside --out")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--targets", nargs="+", choices=names, default=names)
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options of the command line, or end with what is missing."""
    options = parser.parse_args()
    if options.work is None:
        options.work = options.out.with_name(f"{options.out.stem}-work")
    if not options.table and options.data is None:
        parser.error("--data is needed")
    return options


def shared(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that every such script has."""
    from hf_transfer_plugin.environment import environment

    given = {name: getattr(options, name) for name in (*_SHARED, "threads")}
    return {**given, "accelerator": environment()["accelerator"]}


def run(
    options: argparse.Namespace,
    settings: Callable[[argparse.Namespace], _Settings],
    measure: Callable[[argparse.Namespace, _Settings, Lines], None],
    tables: Callable[[Lines], list[Table]],
) -> None:
    """Measure what the results file lacks, then show the tables.

    Args:
        options: of `parsed`.
        settings: made of the options, once the environment is set.
        measure: adds to the lines.
        tables: of the lines.
    """
    if options.table:
        for table in tables(Lines(options.out)):
            print(table.markdown(), end="\n\n")
        return
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["HF_TL_CACHE"] = str(options.work / "cache")
    made = settings(options)
    lines = Lines(options.out, made.environment())
    measure(options, made, lines)
    for table in tables(lines):
        _console.print(table.rich())


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
