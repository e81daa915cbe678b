"""What of the training arguments matters before a run: steps, rates and what the checks read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.processes import world_size

if TYPE_CHECKING:
    from transformers import TrainingArguments

__all__ = ["RunSettings", "activation_checkpointing", "is_reentrant", "scheduler_factors"]


@dataclass(frozen=True)
class RunSettings:
    """Training arguments of a Trainer, or those that a plan sets, read the same way.

    Attributes named as in `transformers.TrainingArguments` mean the same.

    Attributes:
        distributed: DistributedDataParallel holds the model.
    """

    learning_rate: float
    max_steps: int
    num_train_epochs: float
    warmup_steps: float
    lr_scheduler_type: str
    lr_scheduler_kwargs: Mapping[str, Any]
    activation_checkpointing: bool
    activation_checkpointing_kwargs: Mapping[str, Any]
    ddp_find_unused_parameters: bool | None
    ddp_static_graph: bool | None
    torch_compile: bool
    distributed: bool
    eval_strategy: str

    @property
    def parallel_mode(self) -> Any:
        """As in `TrainingArguments`."""
        from transformers.training_args import ParallelMode

        return ParallelMode.DISTRIBUTED if self.distributed else ParallelMode.NOT_PARALLEL

    @classmethod
    def read(cls, given: TrainingArguments | Mapping[str, Any]) -> RunSettings:
        """Read arguments, or the `training` of a plan, whose runs evaluate after each epoch.

        Raises:
            ConfigError: for a number that is none.
        """
        if isinstance(given, Mapping):
            get: Any = given.get
            distributed, evaluation = world_size() > 1, given.get("eval_strategy", "epoch")
        else:

            def get(key: str, default: Any = None) -> Any:
                return getattr(given, key, default)

            distributed = given.parallel_mode.name == "DISTRIBUTED"
            evaluation = given.eval_strategy
        kind = get("lr_scheduler_type") or "linear"
        checkpointing, options = activation_checkpointing(given)
        return cls(
            learning_rate=_number(get("learning_rate", 5e-5), "learning_rate"),
            max_steps=int(_number(get("max_steps", -1), "max_steps")),
            num_train_epochs=_number(get("num_train_epochs", 3.0), "num_train_epochs"),
            warmup_steps=_number(get("warmup_steps", 0), "warmup_steps"),
            lr_scheduler_type=str(getattr(kind, "value", kind)),
            lr_scheduler_kwargs=get("lr_scheduler_kwargs") or {},
            activation_checkpointing=checkpointing,
            activation_checkpointing_kwargs=options,
            ddp_find_unused_parameters=get("ddp_find_unused_parameters"),
            ddp_static_graph=get("ddp_static_graph"),
            torch_compile=bool(get("torch_compile")),
            distributed=distributed,
            eval_strategy=str(getattr(evaluation, "value", evaluation)),
        )

    def warmup(self, steps: int) -> int:
        """Return the steps of warm-up of Trainer's scheduler, in a run of this length."""
        share = self.warmup_steps
        return int(share) if share >= 1 else math.ceil(steps * share)


def activation_checkpointing(
    given: TrainingArguments | RunSettings | Mapping[str, Any],
) -> tuple[bool, Mapping[str, Any]]:
    """Tell whether blocks are computed anew in the backward pass, and with which options.

    Up to transformers 5.22 the arguments are called `gradient_checkpointing` and
    `gradient_checkpointing_kwargs`.
    """
    values = given if isinstance(given, Mapping) else vars(given)
    kinds = ("activation_checkpointing", "gradient_checkpointing")
    options = (values.get(f"{kind}_kwargs") for kind in kinds)
    return any(values.get(kind) for kind in kinds), next((each for each in options if each), {})


def is_reentrant(given: TrainingArguments | RunSettings | Mapping[str, Any]) -> bool:
    """Tell whether blocks are computed anew in the backward pass by the reentrant way."""
    used, options = activation_checkpointing(given)
    return used and bool(options.get("use_reentrant"))


def _number(value: Any, key: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(
            f"training.{key}: {value!r}", "a number", f"correct training.{key}"
        ) from None


def scheduler_factors(
    settings: RunSettings, steps: int, at: tuple[int, ...]
) -> tuple[float, ...] | None:
    """Return the factor of Trainer's scheduler on the peak rate at some optimizer steps.

    Args:
        settings: say which scheduler.
        steps: optimizer steps of the run.
        at: steps made before the one in question.

    Returns:
        None for a scheduler that does not depend on the step alone, or is not known.
    """
    import torch
    from torch.optim.lr_scheduler import LambdaLR
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    try:
        scheduler: Any = get_scheduler(
            settings.lr_scheduler_type,
            optimizer,
            num_warmup_steps=settings.warmup(steps),
            num_training_steps=steps,
            scheduler_specific_kwargs=dict(settings.lr_scheduler_kwargs),
        )
        if not isinstance(scheduler, LambdaLR):
            return None
        factor: Any = scheduler.lr_lambdas[0]
        return tuple(float(factor(step)) for step in at)
    except (TypeError, ValueError):  # of arguments that Trainer refuses too
        return None
