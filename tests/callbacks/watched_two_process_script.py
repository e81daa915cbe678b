"""Run by test_negative_transfer_processes under torchrun: watched runs in two processes.

Argument: the folder for everything written; each process leaves `RANK.pt` there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed import barrier

from hf_transfer_plugin import NegativeTransferCallback, require_processes
from hf_transfer_plugin.processes import end_processes
from tests.callbacks.tiny import bert, tensors
from tests.callbacks.watched_runs import Weights, build, kinds, learned

PROCESSES = 2
ACTIONS = ("rollback", "refreeze", "rescue")
#: Of an evaluation, with which no two processes have as many.
ROWS = 13
#: Best after step 2; below the bar from the middle of the run on.
SCORES = [0.5, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]


def _watched(folder: Path, action: Any, resume: str | None = None) -> dict[str, Any]:
    watch, weights = NegativeTransferCallback(bar=0.9, patience=2, action=action), Weights()
    model = learned(bert)
    saved = {"save_strategy": "steps", "save_steps": 3}
    run = build(folder, watch, weights, model=model, scores=SCORES, **saved)
    run.train(resume_from_checkpoint=resume)
    history = [e for e in run.state.log_history if "transfer/largest_share" in e]
    return {
        "alarms": kinds(watch),
        "handed_over": watch.handed_over,
        "final": tensors(model),
        "after": weights.after,
        "step": run.state.global_step,
        "shares": [entry["transfer/largest_share"] for entry in history],
    }


def _collapsed(folder: Path) -> dict[str, Any]:
    watch = NegativeTransferCallback(action="stop")
    run = build(folder, watch, learning_rate=5e-1, max_steps=20, eval_steps=2)
    # The last batches are filled up with rows of the start; each row counts once.
    run.eval_dataset = [run.eval_dataset[row] for row in range(ROWS)]
    run.train()
    return {"alarms": [a.to_json() for a in watch.alarms], "step": run.state.global_step}


def main() -> None:
    """Train every case and write what came out."""
    folder, rank = Path(sys.argv[1]), os.environ["RANK"]
    require_processes(PROCESSES)
    results = {action: _watched(folder / action, action) for action in ACTIONS}
    checkpoint = str(folder / "refreeze" / "checkpoint-3")
    results["resumed"] = _watched(folder / "again", "refreeze", checkpoint)
    results["collapse"] = _collapsed(folder / "collapse")
    torch.save(results, folder / f"{rank}.part")
    (folder / f"{rank}.part").rename(folder / f"{rank}.pt")
    # One process that is gone takes the others with it: wait until both have written.
    barrier()


if __name__ == "__main__":
    main()  # models are free when it returns, as end_processes asks
    end_processes()
