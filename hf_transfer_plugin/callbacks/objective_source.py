"""The network as it was before training: what an objective holds the model to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from hf_transfer_plugin.adapt.objectives.loss_term import LossTerm, Read
from hf_transfer_plugin.adapt.objectives.weight_changes import adapter_parameters
from hf_transfer_plugin.callbacks.loaded_weights import digest
from hf_transfer_plugin.callbacks.objective_reading import PassReader, has_prompt
from hf_transfer_plugin.callbacks.source_head import SourceHead, source_head
from hf_transfer_plugin.layers import layer_groups

__all__ = ["Source"]

# Given to the model for its loss, which the source does not have.
_OF_LOSS = ("labels", "num_items_in_batch")


class Source:
    """Taken when the Trainer is built, before a checkpoint is loaded over the model.

    Args:
        model: as `from_pretrained` returned it, with or without adapters.
        objective: says what of it is kept.

    Attributes:
        first: parameter name -> value before training, on the CPU, without head and without the
            matrices of adapters; empty unless the objective reads weights.
        head: that the checkpoint came with; None unless the objective reads it.
        digest: a short text that other weights do not have.
    """

    def __init__(self, model: nn.Module, objective: LossTerm) -> None:
        reads = objective.record.kind.reads
        head = layer_groups(model).head
        left_out = set(head.parameter_names) if head is not None else set()
        matrices = adapter_parameters(model)
        held = {
            name: parameter.detach()
            for name, parameter in model.named_parameters()
            if name not in left_out
            and id(parameter) not in matrices
            and parameter.is_floating_point()
        }
        self.digest = digest(held.values())
        self.first = {n: t.cpu().clone() for n, t in held.items()} if "weights" in reads else {}
        self._copy: nn.Module | None = None
        self.head: SourceHead | None = (
            source_head(model, objective.name) if "source_head" in reads else None
        )
        if "source" in reads or self.head is not None:
            # A prompt is no part of the source: it begins at random vectors.
            network = model.get_base_model() if has_prompt(model) else model  # type: ignore[operator]
            self._copy = deepcopy(network).eval().requires_grad_(False)
            self._reader = PassReader(self._copy, reads)

    def reading(self, device: torch.device, precision: torch.dtype | None) -> Any:
        """Return the function that reads the copy on a batch; None without one.

        Args:
            device: of the model that trains.
            precision: of its autocast; None: none.
        """
        copy = self._copy
        if copy is None:
            return None
        copy.to(device)

        def read(batch: Mapping[str, Any]) -> Read:
            copy.requires_grad_(torch.is_grad_enabled())
            inputs = {name: value for name, value in batch.items() if name not in _OF_LOSS}
            with torch.autocast(device.type, precision) if precision else nullcontext():
                copy(**inputs)
            return self._reader.read(inputs)

        return read
