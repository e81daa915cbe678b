"""A job in a fresh process: nothing that another job left behind is measured."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["bytes_below", "in_child", "peak_mib", "write_output_to"]


def in_child(target: Callable[..., None], *arguments: Any) -> Any:
    """Return what a fresh process answers, or None when it ends without an answer.

    Args:
        target: a function of a module; its last argument is where it sends the answer.
        arguments: those before.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*arguments, sender))
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        answer = None
    process.join()
    return answer


def write_output_to(log: Path) -> None:
    """Send all that this process prints into a file, libraries included."""
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def peak_mib() -> float:
    """Return the largest resident memory that this process ever had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
