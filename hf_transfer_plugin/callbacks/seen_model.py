"""What a model says while a Trainer uses it, heard through hooks: losses, classes, features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hf_transfer_plugin.callbacks.hook_functions import as_function
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.model_outputs import part_of
from hf_transfer_plugin.processes import own_rows
from hf_transfer_plugin.select.layer_reading import pooled

__all__ = ["SeenModel"]

#: Rows of the evaluation set, the first ones, whose features are followed.
_ROWS = 64
Batch = dict[str, Any]


class SeenModel:
    """Listens to the forward passes of a model.

    Args:
        model: the innermost one that Trainer knows.
        with_features: follow the features of the first rows of evaluation.
    """

    def __init__(self, model: nn.Module, with_features: bool) -> None:
        self._model = model
        self._batches: list[Batch] = []
        self._given: Batch = {}
        self._read: torch.Tensor | None = None
        self._wanted = _ROWS
        self._pass: tuple[torch.Tensor, torch.Tensor] | None = None
        self._losses: list[torch.Tensor] = []
        self._features: list[torch.Tensor] = []
        self._predicted: list[torch.Tensor] = []
        self._labels: list[torch.Tensor] = []
        self._hooks = [model.register_forward_hook(as_function(self._after), with_kwargs=True)]
        head = layer_groups(model).head
        self._with_features = with_features and head is not None and bool(head.module_names)
        if head is not None and self._with_features:
            module = model.get_submodule(head.module_names[0])
            hook = module.register_forward_pre_hook(as_function(self._at_head), with_kwargs=True)
            self._hooks.append(hook)
        self._follows_inputs = False

    def follow_inputs(self) -> None:
        """Keep the first rows of evaluation; begin before all hooks that change the inputs."""
        if self._with_features and not self._follows_inputs:
            self._follows_inputs = True
            hook = self._model.register_forward_pre_hook(
                as_function(self._before), prepend=True, with_kwargs=True
            )
            self._hooks.append(hook)

    def remove(self) -> None:
        """Stop listening."""
        for hook in self._hooks:
            hook.remove()

    def loss(self) -> float | None:
        """Return the mean loss of the training passes since the last call; None: none was seen."""
        losses, self._losses = self._losses, []
        return float(torch.stack(losses).mean()) if losses else None

    def batch_done(self) -> None:
        """Take what the last pass gave: it belonged to an evaluation."""
        if self._pass is not None:
            predicted, labels = self._pass
            own = own_rows(len(predicted))
            self._predicted.append(predicted[:own])
            self._labels.append(labels[:own])
        if self._read is not None:
            self._features.append(self._read)
            self._wanted -= len(self._read)
            if self._given:
                self._batches.append(self._given)
        self.forget_pass()

    def forget_pass(self) -> None:
        """Leave out the last pass: it belonged to no evaluation."""
        self._pass, self._read, self._given = None, None, {}

    def forget_evaluation(self) -> None:
        """Begin a new evaluation."""
        self.forget_pass()
        self._predicted, self._labels, self._features = [], [], []
        self._batches = []
        self._wanted = _ROWS

    def counts(self) -> tuple[list[int], list[int]]:
        """Return how often each class was predicted and was right, of this process."""
        return _counted(self._predicted), _counted(self._labels)

    def features(self) -> torch.Tensor | None:
        """Return what the head read for the first rows of evaluation, [rows, width]."""
        return torch.cat(self._features)[:_ROWS] if self._features else None

    @torch.no_grad()
    def features_with(self, weights: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Return the same of the same rows with other weights in the model."""
        found = []
        self._wanted = _ROWS
        for batch in self._batches:
            torch.func.functional_call(self._model, dict(weights), kwargs=dict(batch))
            if self._read is None:
                return None
            found.append(self._read)
            self.forget_pass()
        return torch.cat(found)[:_ROWS] if found else None

    def _before(self, module: nn.Module, args: Any, kwargs: Batch) -> None:
        self._given = {} if module.training or args else dict(kwargs)

    def _at_head(self, module: nn.Module, args: Any, kwargs: Batch) -> None:
        if self._model.training or self._wanted <= 0:
            return
        first = next((each for each in (*args, *kwargs.values()) if torch.is_tensor(each)), None)
        if first is not None:
            self._read = pooled(first, len(first), self._given.get("attention_mask"), module)

    def _after(self, module: nn.Module, args: Any, kwargs: Batch, output: Any) -> None:
        if module.training:
            loss = part_of(output, "loss")
            if loss is not None and loss.numel() == 1:
                self._losses.append(loss.detach().reshape(()).float())
            return
        logits, labels = part_of(output, "logits"), kwargs.get("labels")
        self._pass = None
        if logits is not None and logits.ndim == 2 and logits.shape[1] > 1 and _is_choice(module):
            fits = torch.is_tensor(labels) and labels.shape == logits.shape[:1]
            own = labels.detach() if fits else logits.new_empty(0)  # type: ignore[union-attr]
            self._pass = (logits.detach().argmax(-1), own.long())


def _is_choice(module: nn.Module) -> bool:
    """Tell whether the model names one class for each example."""
    kind = getattr(getattr(module, "config", None), "problem_type", None)
    return kind in (None, "single_label_classification")


def _counted(parts: Sequence[torch.Tensor]) -> list[int]:
    if not parts:
        return []
    classes = torch.cat(list(parts)).cpu()
    counts: list[int] = torch.bincount(classes[classes >= 0]).tolist()
    return counts
