"""Runs with a cache in processes of their own, which can be killed inside the fill."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from hf_transfer_plugin.callbacks import prefix_entries
from hf_transfer_plugin.prefix import filling
from tests.callbacks.prefix_runs import Done, Pad, make, probe, sentences, train

ROWS = 2048
CHUNKS = 8
BATCH = 128


def run(folder: Path, cache: Path | None, rows: int = ROWS) -> Done:
    """Train on all rows in this process."""
    data = sentences(rows)
    trainer = make(folder, probe(), data=data, collate=Pad(), per_device_train_batch_size=BATCH)
    return train(trainer, cache)


class Attempt:
    """A run in another process, from the moment at which it begins to fill.

    Args:
        folder: for its weights and its log.
        cache: folder of the cache.
        pause: seconds before each chunk.
        rows: of the data.
    """

    def __init__(self, folder: Path, cache: Path, *, pause: float = 0.0, rows: int = ROWS) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        forked = multiprocessing.get_context("forkserver")
        self._told, sender = forked.Pipe(duplex=False)
        self.process = forked.Process(
            target=_run, args=(folder, cache, sender, pause, rows), daemon=True
        )
        self.process.start()
        sender.close()

    def wait(self, word: str) -> float:
        """Return when the process told this word; fails when it tells another or ends."""
        assert self._told.poll(60), f"no {word} within a minute"
        told, moment = self._told.recv()
        assert told == word, told
        return float(moment)

    def kill_at(self, moment: float) -> bool:
        """Kill it then; tell whether it was still filling."""
        time.sleep(max(0.0, moment - time.monotonic()))
        self.process.kill()
        self.process.join(60)
        try:
            self._told.recv()
        except EOFError:
            return True
        return False

    def end(self) -> int | None:
        """Wait for its end; return the exit code."""
        self.process.join(100)
        return self.process.exitcode

    def rows(self) -> int:
        """Return how many rows a finished run computed."""
        return int((self._folder / "rows.txt").read_text())


def _run(folder: Path, cache: Path, told: Connection, pause: float, rows: int) -> None:
    torch.set_num_threads(1)
    gc.freeze()  # or Trainer's gc.collect() would copy all memory that is shared with the server
    logging.basicConfig(filename=folder / "log.txt", level=logging.INFO, force=True)
    prefix_entries.fill = _telling(prefix_entries.fill, told)
    if pause:
        filling._Filling.compute = _slow(filling._Filling.compute, pause)  # type: ignore[method-assign]
    done = run(folder, cache, rows)
    torch.save(done.weights, folder / "weights.pt")
    (folder / "rows.txt").write_text(str(done.rows))


def _telling(fill: Callable[..., int], told: Connection) -> Callable[..., int]:
    def wrapped(*args: Any, **kwargs: Any) -> int:
        told.send(("filling", time.monotonic()))
        rows = fill(*args, **kwargs)
        told.send(("filled", time.monotonic()))
        return rows

    return wrapped


def _slow(compute: Callable[..., None], pause: float) -> Callable[..., None]:
    def wrapped(*args: Any) -> None:
        time.sleep(pause)
        compute(*args)

    return wrapped
