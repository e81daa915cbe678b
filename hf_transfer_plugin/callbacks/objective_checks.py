"""What must hold before an objective is added to a run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import TrainingArguments

from hf_transfer_plugin.callbacks.objective_source import Source
from hf_transfer_plugin.callbacks.sharded_weights import is_sharded
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.objective_records import Objective
from hf_transfer_plugin.run_settings import activation_checkpointing, is_reentrant

__all__ = ["check_objective", "check_source"]

logger = logging.getLogger(__name__)


def check_objective(objective: Objective, args: TrainingArguments, model: nn.Module) -> None:
    """Check that the term reaches the loss of a run.

    Args:
        objective: whose term it is.
        args: of the Trainer.
        model: that trains.

    Raises:
        ConfigError: when it does not.
    """
    name = objective.name
    reasons = {
        "the weights dealt out among processes (FSDP, DeepSpeed)": (
            is_sharded(args, model),
            "whole weights in each process, as with DistributedDataParallel",
            "remove fsdp and deepspeed from the training arguments",
        ),
        "several devices in one process (DataParallel)": (
            args.n_gpu > 1,
            "one process for each device",
            "start it with torchrun or accelerate launch",
        ),
        "torch_compile": (
            bool(args.torch_compile),
            "a model that is not compiled: a compiled graph may leave out what is read of a pass",
            "remove torch_compile",
        ),
        "fp16": (
            bool(args.fp16) and objective.kind.learns,
            "gradients as they are: a discriminator cannot follow the scaling of fp16",
            "train in bf16, or choose mmd, coral or mcc",
        ),
        f"label_smoothing_factor={args.label_smoothing_factor}": (
            args.label_smoothing_factor != 0,
            "the loss of the model: Trainer computes a smoothed one outside of it",
            "remove label_smoothing_factor",
        ),
        "activation_checkpointing": (
            activation_checkpointing(args)[0] and "layers" in objective.kind.reads,
            "blocks whose outputs are kept, for the term reads them",
            "remove activation_checkpointing (gradient_checkpointing), or choose l2sp or bss",
        ),
        "reentrant activation_checkpointing in several processes": (
            is_reentrant(args) and args.world_size > 1 and "second_pass" in objective.kind.reads,
            "weights that are ready once in a step: two passes make them ready twice",
            'set activation_checkpointing_kwargs={"use_reentrant": False}',
        ),
    }
    for what, (holds, expected, action) in reasons.items():
        if holds:
            raise ConfigError(f"objective {name} with {what}", expected, action)
    if name == "l2sp" and args.weight_decay:
        logger.warning(
            "objective l2sp with weight_decay=%g: decay pulls to zero what l2sp pulls to "
            "the source, and it was meant for weight_decay=0",
            args.weight_decay,
        )


def check_source(
    source: Source | None, stored: Mapping[str, Any], now: Mapping[str, Any], step: int
) -> Source:
    """Return the source, once it is found to be that with which the run began.

    Args:
        source: taken when the Trainer was built.
        stored: progress in the checkpoint; empty at the first step.
        now: state of the callback.
        step: optimizer steps made.

    Raises:
        ConfigError: when there is none, or the checkpoint was made with another one.
    """
    if source is None:
        raise ConfigError(
            arrived="an objective that did not see the model before it trained",
            expected="the callback in Trainer(callbacks=[...]), which keeps the source",
            action="give it there, without restore_callback_states_from_checkpoint",
        )
    current = now["attributes"]["progress"]
    if stored and stored["objective"] != current["objective"]:
        raise ConfigError(
            arrived=f"objective {current['objective']}, and {stored['objective']} in the "
            f"checkpoint of step {step}",
            expected="the objective with which the run began",
            action="resume with that one, or start anew",
        )
    if stored and stored["source"] != source.digest:
        raise ConfigError(
            arrived=f"other weights than those the run of the checkpoint of step {step} began with",
            expected="the model as it was then, for the objective holds it to them",
            action="build it from the pretrained checkpoint, with the same seed where new weights "
            "are drawn, then resume",
        )
    return source
