"""Keeps a multitask model in step with its Trainer, and its losses and conflicts in the logs."""

from __future__ import annotations

from typing import Any

from torch.utils.data import SequentialSampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.adapt.multitask import MultitaskState, TrainingRows, state_of
from hf_transfer_plugin.callbacks.report_order import add_to_logs, move_to_front
from hf_transfer_plugin.callbacks.sharded_weights import is_sharded
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.run_settings import is_reentrant

__all__ = ["MultitaskCallback"]


class MultitaskCallback(TrainerCallback):
    """For a model of `build_multitask` in an unmodified `transformers.Trainer`.

    The orders of PCGrad follow from the step, so that a resumed run ends with the weights of an
    uninterrupted one. Logs gain "loss/TASK", the mean loss of each task's rows in this process
    since the last log, and with PCGrad "pcgrad/conflicts" of "pcgrad/pairs" pairs of gradients,
    and "pcgrad/A / B", the share of passes in which A and B pulled against each other.

    Raises:
        ConfigError: when training begins, for arguments with which the tasks would be sampled
            otherwise or the loss is not that of the model.

    Example:
        >>> trainer = Trainer(..., callbacks=[MultitaskCallback()])
    """

    def __init__(self) -> None:
        self._state: MultitaskState | None = None

    @property
    def conflicts(self) -> dict[str, float]:
        """Pair of tasks -> share of the passes so far in which their gradients conflicted."""
        return self._state.tallies.shares() if self._state is not None else {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Check what would make the result another one."""
        move_to_front(self)
        self._state = state_of(kwargs["model"])
        _check(args, kwargs["model"], self._state.pcgrad)
        _check_order(kwargs.get("train_dataloader"))

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Say which step it is."""
        if self._state is not None:
            self._state.begin_step(state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the losses of the tasks, and their conflicts, to the logs of training."""
        logs = kwargs.get("logs")
        if self._state is not None and logs is not None and "loss" in logs:
            add_to_logs(state, logs, self._state.tallies.take())


def _check(args: TrainingArguments, model: Any, pcgrad: bool) -> None:
    reasons = {
        "several devices in one process (DataParallel)": (
            args.n_gpu > 1,
            "one process for each device",
            "start it with torchrun or accelerate launch",
        ),
        f"label_smoothing_factor={args.label_smoothing_factor}": (
            args.label_smoothing_factor != 0,
            "the loss of the model: Trainer would smooth over the classes of other tasks",
            "remove label_smoothing_factor",
        ),
        "dataloader_persistent_workers": (
            bool(args.dataloader_persistent_workers and args.dataloader_num_workers),
            "workers that begin anew with each epoch, for it has an order of its own",
            "remove dataloader_persistent_workers",
        ),
        "PCGrad and weights dealt out among processes (FSDP, DeepSpeed)": (
            pcgrad and is_sharded(args, model),
            "whole weights in each process, as with DistributedDataParallel",
            "remove fsdp and deepspeed, or pcgrad",
        ),
        "PCGrad and fp16": (
            pcgrad and args.fp16,
            "gradients that need no scaling: those of single tasks are computed without",
            "set bf16, or remove fp16",
        ),
        "PCGrad and torch_compile": (
            pcgrad and bool(args.torch_compile),
            "a model that is not compiled: gradients are computed inside of its forward pass",
            "remove torch_compile, or pcgrad",
        ),
        "PCGrad and reentrant activation_checkpointing": (
            pcgrad and is_reentrant(args),
            "checkpointing that lets single gradients be computed",
            'set activation_checkpointing_kwargs={"use_reentrant": False}',
        ),
    }
    for what, (holds, expected, action) in reasons.items():
        if holds:
            raise ConfigError(f"several tasks with {what}", expected, action)


def _check_order(dataloader: Any) -> None:
    rows = getattr(dataloader, "dataset", None)
    batches: Any = getattr(dataloader, "batch_sampler", None)
    inner: Any = getattr(batches, "batch_sampler", batches)
    if not isinstance(rows, TrainingRows) or isinstance(inner.sampler, SequentialSampler):
        return
    raise ConfigError(
        arrived=f"rows of several tasks, read by a {type(inner.sampler).__name__}",
        expected="the order that the rows are in, which says what is sampled",
        action='set train_sampling_strategy="sequential" in TrainingArguments',
    )
