"""Run by test_prefix_two_processes under torchrun, in two processes.

Arguments: the folder for everything written, the folder of the cache, then what happens: "all"
trains without the cache, with it, and with it once more, then on augmented images without and
with it; "once" with it; "die" too, and ends the
second process inside the fill. Each process leaves `RANK.pt`, a list of what each run gave.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.distributed import all_gather, barrier

from hf_transfer_plugin import require_processes
from hf_transfer_plugin.prefix.row_store import RowStore
from hf_transfer_plugin.processes import end_processes
from tests.augmented_runs import BATCH, augmented, trainer
from tests.callbacks.prefix_runs import Pad, make, probe, sentences, train

PROCESSES = 2
ROWS = 1500
CHUNKS = 6
VIEWS = 2


def _gap(weights: dict[str, torch.Tensor]) -> float:
    """Return the largest difference of any number between the processes."""
    own = torch.cat([value.double().reshape(-1) for value in weights.values()])
    everyone = [torch.empty_like(own) for _ in range(PROCESSES)]
    all_gather(everyone, own)
    return max(float((one - everyone[0]).abs().max()) for one in everyone)


class _Counted:
    """Counts the rows that this process writes; ends it at the third chunk when told so."""

    def __init__(self, die: bool) -> None:
        self.rows = 0
        self._die = die
        self._write = RowStore.write
        RowStore.write = lambda store, chunk, tensors: self.write(  # type: ignore[method-assign]
            store, chunk, tensors
        )

    def write(self, store: RowStore, chunk: int, tensors: Any) -> None:
        self._write(store, chunk, tensors)
        if any("-" in spec.name for spec in store.specs):
            self.rows += len(store.chunk_rows(chunk))
            if self._die and self.rows > 256:
                os.write(2, b"dies in the fill\n")
                os.kill(os.getpid(), signal.SIGKILL)


def _train(folder: Path, cache: Path | None, counted: _Counted) -> dict[str, Any]:
    counted.rows = 0
    run = make(
        folder,
        probe(),
        data=sentences(ROWS),
        collate=Pad(),
        evaluation=sentences(300, seed=1),
    )
    done = train(run, cache)
    metrics = run.evaluate()
    return {
        "weights": done.weights,
        "uses": [asdict(use) for use in done.uses],
        "gap": _gap(done.weights),
        "wrote": counted.rows,
        "eval_loss": metrics["eval_loss"],
    }


def _train_on_views(folder: Path, cache: Path | None) -> dict[str, Any]:
    # By default Trainer multiplies the loss of such a network by the number of processes.
    halves: dict[str, Any] = {"per_device_train_batch_size": BATCH // PROCESSES}
    run = trainer(folder, augmented(VIEWS), average_tokens_across_devices=False, **halves)
    done = train(run, cache)
    uses = [asdict(use) for use in done.uses]
    return {"weights": done.weights, "uses": uses, "gap": _gap(done.weights)}


def main() -> None:
    """Do what the arguments say."""
    folder, cache, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    require_processes(PROCESSES)
    rank = int(os.environ["RANK"])
    counted = _Counted(what == "die" and rank == 1)
    caches = [None, cache, cache] if what == "all" else [cache]
    found = [_train(folder, each, counted) for each in caches]
    found += [_train_on_views(folder, each) for each in caches[:2] if what == "all"]
    file = folder / f"{rank}.pt"
    torch.save(found, file.with_suffix(".part"))
    file.with_suffix(".part").rename(file)
    barrier()


if __name__ == "__main__":
    main()
    end_processes()
