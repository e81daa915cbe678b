"""How far a callback had come in the run of a checkpoint."""

from __future__ import annotations

import logging
from typing import Any, cast

from transformers import TrainerState
from transformers.trainer_callback import ExportableState

from hf_transfer_plugin.errors import ConfigError

__all__ = ["stored_progress"]

logger = logging.getLogger(__name__)


def stored_progress(
    callback: ExportableState, state: TrainerState, what: str = "watch"
) -> dict[str, Any]:
    """Return how far the callback of the checkpoint had come; nothing at the first step.

    Args:
        callback: the one that begins or goes on.
        state: of the run.
        what: it is.

    Raises:
        ConfigError: for two of them in one Trainer.
    """
    name = type(callback).__name__
    # Declared as a list of callbacks; TrainerState turns it into their states by name.
    states = cast(dict[str, Any], state.stateful_callbacks)
    stored = states.get(name)
    if isinstance(stored, list):
        raise ConfigError(
            arrived=f"this Trainer has {len(stored)} callbacks of the type {name}",
            expected=f"one {what} at a time",
            action="keep one of them",
        )
    if stored is None:
        # Trainer fails at its next save when a checkpoint lacks a callback that it now has.
        logger.warning("the checkpoint of step %d was made without %s", state.global_step, what)
        states[name] = callback.state()
        return {}
    return dict(stored["attributes"]["progress"]) if state.global_step else {}
