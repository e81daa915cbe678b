"""What a script or command does around its work: logs, errors, exit codes, process group."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hf_transfer_plugin.errors import TransferError

__all__ = ["session"]


@contextmanager
def session() -> Iterator[None]:
    """Run a block as a command: progress in the log, a user's mistake as one clear message.

    A `TransferError` is printed to standard error and ends the process with exit code 2;
    Ctrl-C ends it with 130. Under several processes the group is left in order.

    Examples:
        >>> with session():
        ...     Line(load_config("config.yaml")).report()
    """
    with _speaking():
        yield from _ending()


def _ending() -> Iterator[None]:
    try:
        yield
    except TransferError as error:
        from hf_transfer_plugin.redaction import redact

        _say(f"error: {redact(str(error))}")
        sys.exit(2)
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from here")
        sys.exit(130)
    _leave_group()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _leave_group() -> None:
    # Nothing to leave, and nothing to import, unless a launcher started several processes.
    if "WORLD_SIZE" in os.environ:
        from hf_transfer_plugin.processes import end_processes

        end_processes()


@contextmanager
def _speaking() -> Iterator[None]:
    """Show this package's log on standard error, and of the libraries only errors."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    own = logging.getLogger("hf_transfer_plugin")
    # A phase of each seed of each plan is too much for a terminal; the plan was explained before.
    callbacks = logging.getLogger("hf_transfer_plugin.callbacks")
    before = own.level, callbacks.level
    first = os.environ.get("RANK", "0") == "0"
    own.setLevel(logging.INFO if first else logging.ERROR)
    callbacks.setLevel(logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    own.addHandler(handler)
    try:
        yield
    finally:
        own.removeHandler(handler)
        own.setLevel(before[0])
        callbacks.setLevel(before[1])
