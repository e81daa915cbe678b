"""A classifier of transformers that holds a head for each task on one shared network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from hf_transfer_plugin.adapt.multitask.pass_gradients import projected
from hf_transfer_plugin.adapt.multitask.passes import (
    joined,
    passes_of,
    require_own_weights,
    run_pass,
)
from hf_transfer_plugin.adapt.multitask.routing import RowTasks, TaskModules
from hf_transfer_plugin.adapt.multitask.tallies import Tallies
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layer_wrappers import unwrap

__all__ = ["MultitaskState", "make_multitask", "plain_model", "state_of"]


@dataclass
class MultitaskState:
    """What a multitask model knows beside its weights.

    Attributes:
        configs: task -> configuration of its plain classifier, in the order of the heads.
        plain: class of the plain classifier.
        pcgrad: project conflicting gradients in training.
        seed: of the orders in which PCGrad looks at tasks.
        step: optimizer steps made; `MultitaskCallback` keeps it, so that orders follow from it.
        passes: forward passes of this step.
        tallies: losses and conflicts since the last log.
    """

    configs: Mapping[str, Any]
    plain: type[PreTrainedModel]
    pcgrad: bool = False
    seed: int = 0
    step: int = 0
    passes: int = 0
    row_tasks: RowTasks = field(default_factory=RowTasks)
    tallies: Tallies = field(default_factory=Tallies)

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks."""
        return tuple(self.configs)

    @property
    def classes(self) -> tuple[int, ...]:
        """Number of classes of each task."""
        return tuple(len(config.id2label) for config in self.configs.values())

    def begin_step(self, step: int) -> None:
        """Begin an optimizer step; `step` were made."""
        self.step, self.passes = step, 0

    def next_orders(self) -> list[list[int]]:
        """Return, for each task, the others in a random order that follows from the step."""
        draw = np.random.default_rng((self.seed, self.step, self.passes))
        self.passes += 1
        count = len(self.configs)
        return [[j for j in draw.permutation(count).tolist() if j != i] for i in range(count)]


def make_multitask(
    model: PreTrainedModel, heads: Mapping[str, list[nn.Module]], state: MultitaskState
) -> PreTrainedModel:
    """Turn a classifier into one of several tasks, in place.

    Args:
        model: whose heads are replaced.
        heads: path of a module of the head -> one for each task.
        state: what it knows.
    """
    for path, modules in heads.items():
        model.set_submodule(path, TaskModules(modules, state.row_tasks))
    kind = type(model)
    name = f"Multitask{kind.__name__}"
    model.__class__ = type(name, (kind,), {"forward": _forward(kind)})
    model.multitask = state  # type: ignore[assignment]
    model.accepts_loss_kwargs = False  # type: ignore[assignment]
    return model


def state_of(model: nn.Module) -> MultitaskState:
    """Return what a multitask model, wrapped or not, knows beside its weights.

    Raises:
        ConfigError: for another model.
    """
    inner = unwrap(model)
    state = getattr(inner, "multitask", None)
    if not isinstance(state, MultitaskState):
        raise ConfigError(
            arrived=f"a {type(inner).__name__}, which has one head",
            expected="a model of several tasks",
            action="build it with build_multitask",
        )
    return state


def plain_model(model: nn.Module, task: str) -> PreTrainedModel:
    """Return a copy for one task, which plain transformers saves and loads.

    Args:
        model: of several tasks, without wrapper or adapter (merge it first).
        task: whose head it has.

    Raises:
        ConfigError: for an unknown task, or a model of one.
    """
    state = state_of(model)
    if task not in state.configs:
        raise ConfigError(
            arrived=f"task {task!r}",
            expected="one of " + ", ".join(state.names),
            action="correct the name of the task",
        )
    number = state.names.index(task)
    copied: Any = deepcopy(model)
    for path, part in list(copied.named_modules()):
        if isinstance(part, TaskModules):
            copied.set_submodule(path, part.heads[number])
    del copied.multitask
    copied.__class__ = state.plain
    copied.config = deepcopy(state.configs[task])
    copied.num_labels = len(copied.config.id2label)
    return cast(PreTrainedModel, copied)


def _forward(plain: type[PreTrainedModel]) -> Callable[..., SequenceClassifierOutput]:
    """Return the forward pass of several tasks around that of a plain classifier."""

    def forward(  # noqa: D417
        self: Any,
        *,
        labels: Tensor | None = None,
        task_labels: Tensor | None = None,
        **inputs: Any,
    ) -> SequenceClassifierOutput:
        """Return logits [rows, most classes] and, with labels, the mean cross-entropy in nats.

        Args:
            labels: [rows], class of each row among those of its task.
            task_labels: [rows], number of the task of each row.
            inputs: what the plain classifier reads.
        """
        state: MultitaskState = self.multitask
        if task_labels is None:
            raise ConfigError(
                arrived="a batch without task_labels",
                expected="the number of the task of each row",
                action="collate with with_tasks, or take plain_model(model, task) for one task",
            )
        projects = state.pcgrad and self.training and torch.is_grad_enabled() and labels is not None
        if projects:
            require_own_weights(inputs)
        found = [
            (rows, run_pass(self, plain, inputs, task_labels, rows))
            for rows in (passes_of(self, task_labels) if projects else [None])
        ]
        logits, losses = joined(state.classes, found, task_labels, labels)
        loss = None
        if labels is not None:
            loss = torch.stack(list(losses.values())).sum()
            if self.training:
                state.tallies.add_losses(state.names, losses, task_labels)
            if projects:
                loss, logits = projected(self, loss, losses, state), logits.detach()
        whole = found[0][1] if len(found) == 1 else None
        return SequenceClassifierOutput(
            loss=loss,
            logits=logits,
            hidden_states=getattr(whole, "hidden_states", None),
            attentions=getattr(whole, "attentions", None),
        )

    own = signature(forward).parameters
    read = [
        each.replace(kind=Parameter.KEYWORD_ONLY)
        for each in signature(plain.forward).parameters.values()
        if each.name not in ("self", "labels")
        and each.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    ]
    # Trainer reads here which columns it keeps and which inputs are labels.
    named = [own["self"], *read, own["labels"], own["task_labels"], own["inputs"]]
    forward.__signature__ = signature(forward).replace(parameters=named)  # type: ignore[attr-defined]
    return forward
