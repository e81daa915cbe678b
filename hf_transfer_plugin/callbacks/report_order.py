"""What a callback adds to the logs of its Trainer, and its place among the others."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerState
from transformers.trainer_callback import CallbackHandler

__all__ = ["add_to_logs", "move_to_front", "take_back"]


def add_to_logs(state: TrainerState, logs: dict[str, Any], added: Mapping[str, Any]) -> None:
    """Add entries to what is being logged: called in on_log.

    Args:
        state: of the Trainer.
        logs: what on_log was given.
        added: the entries.
    """
    logs.update(added)
    # Trainer keeps a copy that it made just before this hook.
    if state.log_history:
        state.log_history[-1].update(added)


def take_back(metrics: dict[str, Any] | None, prefixes: tuple[str, ...]) -> None:
    """Leave what was added to the log of an evaluation out of its metrics: called in on_evaluate.

    Trainer logs and returns the same mapping, and a hyperparameter search adds up all of it.

    Args:
        metrics: what on_evaluate was given.
        prefixes: with which the added names begin.
    """
    for name in [each for each in metrics or {} if each.startswith(prefixes)]:
        assert metrics is not None
        del metrics[name]


def move_to_front(callback: TrainerCallback, behind: type[TrainerCallback] | None = None) -> bool:
    """Let a callback run before the others, so that reporters see what it adds to the logs.

    Trainer calls the reporters of `report_to` before the callbacks that it was given, and hands
    callbacks no way to reach their list; it is found in the handler that is calling.

    Args:
        callback: the callback in one of whose events this is called.
        behind: callbacks of this type stay in front of it.

    Returns:
        whether the handler was found.
    """
    frame = sys._getframe(1)
    while frame is not None:
        handler = frame.f_locals.get("self")
        if isinstance(handler, CallbackHandler) and callback in handler.callbacks:
            # The handler is iterating: whoever is before moves one place on, and is not run twice.
            handler.callbacks.remove(callback)
            stays = behind is not None and isinstance(next(iter(handler.callbacks), None), behind)
            handler.callbacks.insert(1 if stays else 0, callback)
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
