"""An entry whose rows anyone can compute, and processes that fill it and can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hf_transfer_plugin.prefix import journal
from hf_transfer_plugin.prefix.array_file import ArrayFile
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.row_store import ArraySpec, RowStore

ROWS = 1500
CHUNKS = 6
LENGTHS = np.random.default_rng(0).integers(1, 33, ROWS)
SPECS = (
    ArraySpec("hidden", "float32", (None, 16)),
    ArraySpec("mask", "bool", (1, None, None)),
    ArraySpec("pooled", "bfloat16", (8,)),
)
KEY = {"model": "tiny", "boundary": "encoder.layer.1"}
_CONTEXT = multiprocessing.get_context("forkserver")


def row(array: ArraySpec, number: int, length: int) -> torch.Tensor:
    """Return what a row holds."""
    chance = torch.Generator().manual_seed(number)
    values = torch.rand(array.row_shape(length), generator=chance) * 200 - 100
    return values > 0 if array.dtype == "bool" else values.to(getattr(torch, array.dtype))


def open_store(folder: Path, **changes: Any) -> RowStore:
    given: dict[str, Any] = {"specs": SPECS, "rows": ROWS, "lengths": LENGTHS, "budget": Budget()}
    given |= {"note": {"model": "tiny"}} | changes
    return RowStore.open(folder, KEY, **given)


def chunk_of(store: RowStore, chunk: int) -> dict[str, list[torch.Tensor]]:
    rows = store.chunk_rows(chunk).tolist()
    return {each.name: [row(each, i, int(LENGTHS[i])) for i in rows] for each in store.specs}


def fill(store: RowStore, chunks: list[int] | None = None) -> None:
    for chunk in store.missing() if chunks is None else chunks:
        store.write(chunk, chunk_of(store, chunk))


def filled(folder: Path) -> RowStore:
    store = open_store(folder)
    fill(store)
    assert store.is_complete
    return store


def assert_right(store: RowStore) -> int:
    """Compare every row that is said to be there, bit for bit; return how many chunks there are."""
    there = [chunk for chunk in range(CHUNKS) if chunk not in store.missing()]
    for chunk in there:
        for number in store.chunk_rows(chunk).tolist():
            read = store.read(np.array([number]))
            for each in store.specs:
                expected = row(each, number, int(LENGTHS[number]))
                assert torch.equal(read[each.name][0], expected), (each, number)
    return len(there)


def start(folder: Path, **options: Any) -> tuple[BaseProcess, Connection]:
    """Fill in another process; what it sends tells how far it is."""
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_run, args=(folder, sender, options), daemon=True)
    process.start()
    sender.close()
    return process, receiver


def use_server() -> None:
    """Start the process that the others are forked from, with everything imported."""
    _CONTEXT.set_forkserver_preload([__name__])


def _run(folder: Path, told: Connection, options: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    os.environ["RANK"] = str(options.get("rank", 0))
    if "die_in" in options:
        _die_in(options["die_in"], options["after"])
    store = open_store(folder)
    if options.get("lock", True):
        with store.locked():
            told.send(("locked", time.monotonic(), store.missing()))
            if options.get("wait"):
                time.sleep(600)
            fill(store, options.get("chunks"))
    else:
        told.send(("open", time.monotonic(), store.missing()))
        fill(store, options.get("chunks"))
    told.send(("done", time.monotonic(), store.missing()))


def _die_in(where: str, after: int) -> None:
    """End this process half way through the given step, when it comes for the n-th time."""
    owner, name = {"write": (ArrayFile, "write"), "journal": (journal, "append")}[where]
    step, calls = getattr(owner, name), 0

    def deadly(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls < after:
            step(*given)
        elif where == "write":
            file, content, start = given
            step(file, content[: len(content) // 2], start)
        else:
            folder = given[0]
            step(*given)
            path = folder / "journal.0"
            os.truncate(path, path.stat().st_size - 9)
        if calls >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)
