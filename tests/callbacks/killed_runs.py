"""Training runs in processes of their own, which can be killed at any moment."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import peft.peft_model
import torch
import transformers.modeling_utils
from transformers.trainer_callback import TrainerState

from hf_transfer_plugin.callbacks import complete_checkpoints
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.checkpoints import without_bars
from tests.callbacks.schedule_cases import MODELS, SCHEDULES
from tests.callbacks.tiny import tensors, trainer

KILLED = -signal.SIGKILL
# Every schedule, on models in turn: schedule -> kind of model
_IN_TURN = ("bert", "lora", "resnet", "efficientnet")
CASES: dict[str, str] = {
    name: _IN_TURN[i % 4] if _IN_TURN[i % 4] in case.models else case.models[0]
    for i, (name, case) in enumerate(SCHEDULES.items())
}
# What writes a file of a checkpoint: each takes its path second.
WRITERS: tuple[tuple[Any, str], ...] = (
    (torch, "save"),
    (transformers.modeling_utils, "safe_save_file"),
    (peft.peft_model, "safe_save_file"),
    (TrainerState, "save_to_json"),
)


# Saving is slow the first time, and children are forked from a process that imported this. The
# thread of a progress bar would leave them locks that nobody opens.
with without_bars(), tempfile.TemporaryDirectory() as _folder:
    for _kind in set(CASES.values()):
        MODELS[_kind]().save_pretrained(_folder)


def attempt(
    case: str,
    folder: Path,
    resume: str | None = None,
    *,
    kill_after: float | None = None,
    die_in: str = "",
) -> tuple[int, float]:
    """Train in a new process, and kill it so many seconds after training began.

    Returns:
        The exit code, and how long it trained.
    """
    forked = multiprocessing.get_context("forkserver")
    receiver, sender = forked.Pipe(duplex=False)
    process = forked.Process(
        target=_train, args=(case, folder, resume, sender, die_in), daemon=True
    )
    process.start()
    sender.close()
    try:
        began = receiver.recv()
        if kill_after is not None:
            time.sleep(max(0.0, began + kill_after - time.monotonic()))
            process.kill()
        process.join(60)
    finally:
        process.kill()
    assert process.exitcode is not None
    return process.exitcode, time.monotonic() - began


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights that a finished run left."""
    loaded: dict[str, torch.Tensor] = torch.load(folder / "weights.pt", weights_only=True)
    return loaded


def _train(case: str, folder: Path, resume: str | None, began: Connection, die_in: str) -> None:
    torch.set_num_threads(1)
    gc.freeze()  # or Trainer's gc.collect() would copy all memory that is shared with the server
    complete_checkpoints.STILL_SECONDS = 0.01  # no other run lives in these folders
    given, model = SCHEDULES[case], MODELS[CASES[case]]()
    callback = FreezingCallback(given.schedule(model))
    saved = {"save_strategy": "steps", "save_steps": 1}
    run = trainer(model, folder, callback, **(saved | given.arguments))
    for owner, name in WRITERS if die_in else ():
        setattr(owner, name, _deadly(getattr(owner, name), die_in))
    began.send(time.monotonic())
    run.train(resume_from_checkpoint=resume)
    torch.save(tensors(model), folder / "weights.pt")


def _deadly(write: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a writer that ends the process half way through the file of this name."""

    def wrapped(content: Any, path: Any, *args: Any, **options: Any) -> Any:
        written = write(content, path, *args, **options)
        if str(path).endswith(name):
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    return wrapped
