"""Lets a Trainer compute the first token alone in the last block."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.callbacks.first_token_hooks import (
    computing_first_token_alone,
    last_block,
    trial_batch,
)
from hf_transfer_plugin.callbacks.light_dataloaders import as_trainer_reads
from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
from hf_transfer_plugin.callbacks.prefix_checks import own_methods, scattered
from hf_transfer_plugin.objective_kinds import Reads
from hf_transfer_plugin.random_states import kept_random_states

__all__ = ["FirstTokenAlone", "first_token_alone"]

logger = logging.getLogger(__name__)
_READERS = ("compute_loss", "training_step", "prediction_step")
# Libraries whose hooks on the block are for weights or for the prefix cache.
_LIBRARIES = ("hf_transfer_plugin.", "transformers.", "accelerate.", "peft.", "torch.")


def first_token_alone(trainer: Trainer) -> FirstTokenAlone:
    """Compute the first token ([CLS]) alone in the last block while a Trainer trains.

    A head that reads the first token needs keys and values of all tokens from the last block, and
    all else of one. Loss and gradients are those of all tokens; dropout draws for one token, so
    other numbers. A trial on four training rows decides before training; where answers would
    differ (a mean over tokens, hidden states that are asked for), where the block is of another
    make, or where something else reads its tokens, the log says why and nothing changes. It goes
    with `FreezingCallback` and `prefix_cache`, and ends with the training.

    Args:
        trainer: any Trainer; its callbacks must be in place.

    Returns:
        a handle: `.active` and `.reason` say what is done, `.remove()` undoes it.

    Examples:
        >>> trainer = Trainer(..., callbacks=[FreezingCallback(FreezingSchedule.top_layers(1))])
        >>> prefix_cache(trainer), first_token_alone(trainer)
        >>> trainer.train()
    """
    handle = FirstTokenAlone(trainer)
    trainer.add_callback(handle)
    return handle


class FirstTokenAlone(TrainerCallback):
    """What `first_token_alone` returns: its handle on a Trainer.

    Attributes:
        active: the first token is computed alone now.
        reason: why all tokens were computed in the last training; "" when they were not.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.active, self.reason = False, ""
        self._trainer, self._undo = trainer, ExitStack()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Try it, and begin."""
        self._leave()  # a training that failed
        model: Any = self._trainer.model
        self.reason = _why_not(self._trainer, model)
        if not self.reason:
            with kept_random_states():
                self.active = self._undo.enter_context(
                    computing_first_token_alone(model, self._batch, reads=_reads(self._trainer))
                )
            if not self.active:
                self.reason = "four rows have other answers when the first token is computed alone"
        if self.reason:
            logger.info("the last block computes all tokens: %s", self.reason)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the model as it was."""
        self._leave()

    def remove(self) -> None:
        """Leave the Trainer and its model as they were."""
        self._leave()
        self._trainer.remove_callback(self)

    def _leave(self) -> None:
        self._undo.close()
        self.active = False

    def _batch(self) -> Mapping[str, torch.Tensor]:
        read = as_trainer_reads(self._trainer, self._trainer.train_dataset)
        return self._trainer._prepare_inputs(trial_batch(*read))


def _reads(trainer: Trainer) -> frozenset[Reads]:
    return frozenset(
        read
        for each in trainer.callback_handler.callbacks
        if isinstance(each, ObjectiveCallback)
        for read in each.objective.record.kind.reads
    )


def _why_not(trainer: Trainer, model: nn.Module) -> str:
    """Return why all tokens must be computed; "" when a trial shall tell."""
    own = own_methods(trainer, _READERS)
    found = last_block(model)
    listening = _listeners(found[0]) if found else []
    rows = trainer.train_dataset
    reasons = {
        "the network has no last block of a known make": found is None,
        "torch_compile is on": trainer.args.torch_compile,
        **scattered(trainer),
        f"{type(trainer).__name__} has its own {', '.join(own)}, which may read other tokens": bool(
            own
        ),
        "an objective reads the outputs of layers": "layers" in _reads(trainer),
        f"a hook listens to {', '.join(listening)} of it": bool(listening),
        "the training set is a stream, of which no row can be tried": not (
            hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _listeners(block: nn.Module) -> list[str]:
    """Return the parts of a block with a hook of somebody else."""
    return [
        name or "the block"
        for name, module in block.named_modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if not str(getattr(hook, "__module__", "")).startswith(_LIBRARIES)
    ]
