"""Where an adapter goes in any model: found from its layer groups and the types of its modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hf_transfer_plugin.adapter_kinds import AdapterKind
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.layers import LayerGroups, layer_groups

__all__ = ["found_targets", "mixes_layers", "narrowing", "trained_head"]


def trained_head(model: nn.Module) -> list[str]:
    """Return the modules of the head that hold weights themselves; a bare backbone has none.

    Raises:
        ConfigError: when peft, which matches the ends of names, would take other modules too.
    """
    head = layer_groups(model).head
    if head is None:
        return []
    found = list(dict.fromkeys(name.rpartition(".")[0] for name in head.parameter_names))
    strays = [
        name
        for name, _ in model.named_modules()
        if name.endswith(tuple(found)) and name not in found
    ]
    if strays:
        raise ConfigError(
            arrived=f"the head {', '.join(found)}, whose name also ends {strays[0]}",
            expected="a head of which peft finds no namesake in the network",
            action="rename the head, or train without adapter",
        )
    return found


def found_targets(model: nn.Module, kind: AdapterKind) -> list[str]:
    """Return the full names of the modules that this kind of adapter takes.

    Matrices: linear layers (and convolutions that are not depthwise or grouped, where the kind
    takes them) between the input and the head; the layers that embed the input stay as they
    are. Norms: every layer normalization outside the head, no BatchNorm. Embeddings: the table
    of the input's tokens.

    Args:
        model: a model without adapter.
        kind: of adapter.
    """
    groups = layer_groups(model)
    if kind.place == "embeddings":
        table = _token_table(model)
        return [name for name, part in model.named_modules() if part is table]
    if kind.place == "norms":
        return [name for name, part in _outside_head(model, groups) if _is_layer_norm(part)]
    inner = {
        name.rpartition(".")[0]
        for group in groups
        if group.is_block or group.name.endswith("neck")
        for name in group.parameter_names
    }
    return [
        name
        for name, part in _outside_head(model, groups)
        if name in inner and _is_matrix(part, kind)
    ]


def narrowing(model: nn.Module, targets: list[str]) -> list[str]:
    """Return the targets that map to fewer features than they read.

    In a feed-forward block that is the second matrix, whose input IA3 scales.
    """
    return [name for name in targets if _narrows(model.get_submodule(name))]


def mixes_layers(model: nn.Module) -> bool:
    """Tell whether the blocks of a model hold convolutions and linear layers."""
    blocks = [group for group in layer_groups(model) if group.is_block]
    parts = [model.get_submodule(n.rpartition(".")[0]) for g in blocks for n in g.parameter_names]
    return all(any(isinstance(part, kind) for part in parts) for kind in (nn.Conv2d, nn.Linear))


def _outside_head(model: nn.Module, groups: LayerGroups) -> Iterator[tuple[str, nn.Module]]:
    head = groups.head
    inside = tuple(f"{path}." for path in head.module_names) if head is not None else ()
    for name, part in model.named_modules():
        if not f"{name}.".startswith(inside or (" ",)):
            yield name, part


def _is_matrix(part: nn.Module, kind: AdapterKind) -> bool:
    from transformers.pytorch_utils import Conv1D

    if isinstance(part, nn.Conv2d):
        pointwise = set(part.kernel_size) == {1}
        wanted = kind.convolutions == "all" or (kind.convolutions == "pointwise" and pointwise)
        return wanted and part.groups == 1
    return isinstance(part, nn.Linear) or (kind.transposed and isinstance(part, Conv1D))


def _narrows(part: Any) -> bool:
    if isinstance(part, nn.Linear):
        return part.out_features < part.in_features
    if isinstance(part, nn.Conv2d):
        return part.out_channels < part.in_channels
    return bool(part.nf < part.nx)


def _is_layer_norm(part: nn.Module) -> bool:
    if isinstance(part, _BatchNorm) or next(part.children(), None) is not None:
        return False
    weights = list(part.parameters(recurse=False))
    return "Norm" in type(part).__name__ and bool(weights) and all(w.ndim == 1 for w in weights)


def _token_table(model: Any) -> nn.Module | None:
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return table if isinstance(table, nn.Embedding) else None
