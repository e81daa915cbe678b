"""What a benchmark of a few minutes measures, as JSON lines of which its tables are made."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hf_transfer_plugin.serialization import write_atomic

__all__ = ["Line", "add_file_options", "measured_lines"]

Line = dict[str, Any]


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add --out and --table."""
    parser.add_argument("--out", type=Path, help="FILE.jsonl that keeps what is measured")
    parser.add_argument("--table", action="store_true", help="print the tables of --out, and end")


def measured_lines(
    options: argparse.Namespace, measure: Callable[[], Iterable[Line]]
) -> list[Line]:
    """Return what is measured now, or with --table what --out holds.

    Args:
        options: with those of `add_file_options`.
        measure: returns one line a measurement.
    """
    if options.table:
        if options.out is None or not options.out.is_file():
            sys.exit(f"--table prints --out, and {options.out} does not exist")
        return [json.loads(line) for line in options.out.read_text("utf-8").splitlines()]
    lines = list(measure())
    if options.out is not None:
        write_atomic(options.out, "".join(f"{json.dumps(line)}\n" for line in lines))
    return lines
