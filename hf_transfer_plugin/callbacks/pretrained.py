"""How far a run has gone from the weights it began with: weights and features."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from hf_transfer_plugin.callbacks.carried_tensors import Tensors
from hf_transfer_plugin.callbacks.loaded_weights import digest
from hf_transfer_plugin.callbacks.seen_model import SeenModel
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.select.distances import linear_cka

__all__ = ["Pretrained"]


class Pretrained:
    """A copy, in the memory of the CPU, of the weights that a run begins with.

    Of what can train; the head is left out, for it is drawn at random.

    Args:
        model: as `from_pretrained` returned it.

    References:
        Kornblith et al., "Similarity of Neural Network Representations Revisited" (2019), for CKA;
        Roy & Vetterli, "The effective rank" (2007); Chen et al., "Catastrophic Forgetting Meets
        Negative Transfer: Batch Spectral Shrinkage" (2019), for the smallest singular values.
    """

    def __init__(self, model: nn.Module) -> None:
        groups = layer_groups(model)
        named = dict(model.named_parameters())
        self._groups: dict[str, Tensors] = {}
        for group in groups:
            trains = [name for name in group.parameter_names if named[name].requires_grad]
            if trains and group is not groups.head:
                self._groups[group.name] = {n: named[n].detach().cpu().clone() for n in trains}
        self._buffers = {n: b.detach().cpu().clone() for n, b in model.named_buffers()}
        self._features: np.ndarray | None = None

    @property
    def digest(self) -> str:
        """A short text that other weights do not have."""
        return digest(tensor for group in self._groups.values() for tensor in group.values())

    @torch.no_grad()
    def distances(self, model: nn.Module) -> dict[str, float]:
        """Return the distance of each layer group, and of all, relative to its first norm."""
        named = dict(model.named_parameters())
        found, moved_all, size_all = {}, 0.0, 0.0
        for group, tensors in self._groups.items():
            moved, size = 0.0, 0.0
            for name, first in tensors.items():
                first = first.to(named[name].device)
                moved += float((named[name].float() - first.float()).square().sum())
                size += float(first.float().square().sum())
            found[f"drift/{group}"] = math.sqrt(moved / size) if size else math.nan
            moved_all, size_all = moved_all + moved, size_all + size
        if size_all:
            found["drift"] = math.sqrt(moved_all / size_all)
        return found

    def compare_features(self, model: nn.Module, seen: SeenModel) -> dict[str, float]:
        """Return how the features of the rows that were seen differ from those at the beginning."""
        features = seen.features()
        if features is None or len(features) < 2:
            return {}
        table = features.double().numpy()
        if not np.isfinite(table).all():
            return {}
        found = _spectrum(table)
        if self._features is None:
            first = seen.features_with(self._on_device_of(model))
            self._features = None if first is None else first.double().numpy()
        if self._features is not None and self._features.shape == table.shape:
            found["cka"] = linear_cka(table, self._features)
        return found

    def _on_device_of(self, model: nn.Module) -> Tensors:
        tensors = {name: t for group in self._groups.values() for name, t in group.items()}
        device = next(model.parameters()).device
        return {name: tensor.to(device) for name, tensor in (tensors | self._buffers).items()}


def _spectrum(table: np.ndarray) -> dict[str, float]:
    """Return effective rank and smallest relative singular value of [examples, features]."""
    values = np.linalg.svd(table - table.mean(0), compute_uv=False)
    values = values[: min(len(table) - 1, table.shape[1])]
    total = float(values.sum())
    if not total:
        return {"effective_rank": 0.0, "smallest_singular_value": 0.0}
    parts = values[values > 0] / total
    return {
        "effective_rank": float(np.exp(-np.sum(parts * np.log(parts)))),
        "smallest_singular_value": float(values[-1] / values[0]),
    }
