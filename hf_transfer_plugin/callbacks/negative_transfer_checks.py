"""What must hold before a run is watched, and what its checkpoint says of it."""

from __future__ import annotations

import logging
from typing import Any, cast

from torch import nn
from torch.distributed.tensor import DTensor
from transformers import TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from hf_transfer_plugin.alarms import GOES_BACK
from hf_transfer_plugin.callbacks.plateau import watched_metric
from hf_transfer_plugin.errors import ConfigError

__all__ = ["check_action", "followed_metric", "is_sharded", "stored_progress"]

logger = logging.getLogger(__name__)


def is_sharded(args: TrainingArguments, model: nn.Module) -> bool:
    """Tell whether no process holds all weights as they are."""
    dealt_out = args.deepspeed_plugin is not None or bool(args.fsdp)
    return dealt_out or any(isinstance(each, DTensor) for each in model.parameters())


def check_action(action: str, args: TrainingArguments, sharded: bool) -> None:
    """Check that a run can do what its alarms ask for.

    Args:
        action: what an alarm does.
        args: arguments of the run.
        sharded: no process holds all weights.

    Raises:
        ConfigError: when it cannot.
    """
    if sharded and action in GOES_BACK:
        raise ConfigError(
            arrived=f'action="{action}", and the weights are dealt out among processes',
            expected="whole weights in each process, as with DistributedDataParallel",
            action='use "stop" with load_best_model_at_end=True',
        )
    if args.world_size > 1 and action == "refreeze" and args.ddp_find_unused_parameters is False:
        raise ConfigError(
            arrived='action="refreeze" and ddp_find_unused_parameters=False',
            expected="DistributedDataParallel that lets weights go without a gradient",
            action="set ddp_find_unused_parameters=True in TrainingArguments",
        )


def followed_metric(metric: str | None, args: TrainingArguments) -> tuple[str, bool]:
    """Return the key of the metric that is followed, and whether larger is better.

    Args:
        metric: its name without "eval_"; None: that of the best checkpoint.
        args: arguments of the run.
    """
    key, greater = watched_metric(args)
    if metric is None or key == f"eval_{metric}":
        return key, greater
    return f"eval_{metric}", not metric.endswith("loss")


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
