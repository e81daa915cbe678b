"""Find the input, the blocks and the head of a network from its module tree alone.

Nothing here knows an architecture by name. The rules, in order:

1. The head lies outside the model's own backbone (`base_model_prefix`, or the models it is made
   of); timm names its classifier itself.
2. The blocks are the elements of the lists (ModuleList, Sequential) that hold whole blocks, seen
   through stages. A network without such lists is split where its weights branch; one that looks
   up embeddings and does nothing else has no blocks.
3. What is left feeds the blocks when it is registered before them and forms the neck when it is
   registered after them. Names of the kind "layernorm_embedding" and "final_norm" overrule the
   place, for some models register these on the wrong side of the blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

from torch import nn

from hf_transfer_plugin.layer_wrappers import children, loaded
from hf_transfer_plugin.layers import ROLES

__all__ = ["Chain", "find_chains", "find_head", "holds_embedding"]

_LISTS = (nn.ModuleList, nn.Sequential)


@dataclass(frozen=True)
class Chain:
    """Blocks that follow one another.

    Attributes:
        path: the module whose parameters belong to this chain; "" for the whole model.
        prefix: what its group names start with: "" for the only chain, else "text_model.".
        blocks: path of each block, input to head.
        names: short name of each block, without the prefix.
    """

    path: str
    prefix: str
    blocks: tuple[str, ...]
    names: tuple[str, ...]


def find_head(root: nn.Module) -> tuple[str, ...]:
    """Return the paths of the task head; "" among them stands for the root's own parameters.

    Args:
        root: a model without wrappers.
    """
    pretrained = loaded("transformers.modeling_utils", "PreTrainedModel")
    parts = dict(root.named_children())
    outside = _outside_backbone(root, parts, pretrained)
    if any(_has_parameters(parts[name]) for name in outside):
        return ("", *outside)
    classifiers = _timm_classifiers(root)
    if classifiers or isinstance(root, pretrained):
        return classifiers
    weighted = [name for name, part in parts.items() if _has_parameters(part)]
    return (weighted[-1],) if len(weighted) > 1 else ()


def find_chains(root: nn.Module, head: Sequence[str]) -> tuple[Chain, ...]:
    """Return the chains of blocks, in the order in which the model registers them.

    Args:
        root: a model without wrappers.
        head: paths that `find_head` returned.
    """
    lists = list(_block_lists(root, "", head))
    if not lists:
        blocks = _branching_blocks(root, head)
        if blocks and all(isinstance(root.get_submodule(path), nn.Embedding) for path in blocks):
            return (Chain("", "", (), ()),)
        return _as_chains({"": blocks})
    towers: dict[str, list[str]] = {}
    keys = _tower_paths([path for path, _ in lists])
    for key, (path, elements) in zip(keys, lists, strict=True):
        towers.setdefault(key, []).extend(_list_blocks(path, elements))
    return _as_chains(towers)


def holds_embedding(module: nn.Module, *, patches: bool = False) -> bool:
    """Tell whether a module looks up embeddings or, when asked, cuts an image into patches."""
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            return True
        # Convolutions that step by their own width see each pixel once: patches, not features.
        if patches and isinstance(part, nn.Conv2d | nn.Conv3d):
            if part.kernel_size == part.stride and max(part.stride) > 1:
                return True
    return False


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _outside_backbone(
    root: nn.Module, parts: Mapping[str, nn.Module], pretrained: Any
) -> tuple[str, ...]:
    base = root.base_model_prefix if isinstance(root, pretrained) else None
    if base in parts:
        return tuple(name for name in parts if name != base)
    # Without a backbone of that name (CLIP, T5) the model is made of models, then its head.
    names = list(parts)
    models = [
        position for position, name in enumerate(names) if isinstance(parts[name], pretrained)
    ]
    return tuple(names[models[-1] + 1 :]) if models else ()


def _timm_classifiers(root: nn.Module) -> tuple[str, ...]:
    for module in root.modules():
        # timm has no common base class; this method is its documented contract.
        ask = getattr(module, "get_classifier", None)
        if callable(ask):
            answer = ask()
            found = answer if isinstance(answer, tuple | list) else (answer,)
            wanted = {id(part) for part in found if _has_parameters(part)}
            return tuple(path for path, part in root.named_modules() if id(part) in wanted)
    return ()


def _matrices(module: nn.Module, path: str = "", head: Sequence[str] = ()) -> int:
    """Count the weights outside the head that hold several values per output."""
    if path and path in head:
        return 0
    own = sum(w.ndim >= 2 and w.numel() > len(w) for w in module.parameters(recurse=False))
    return own + sum(_matrices(part, _join(path, name), head) for name, part in children(module))


def _height(module: nn.Module) -> int:
    heights = [_height(part) + 1 for _, part in children(module) if _has_parameters(part)]
    return max(heights, default=0)


def _elements(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, part) for name, part in children(module) if _has_parameters(part)]


def _is_block_list(module: nn.Module) -> bool:
    # One matrix makes a layer (convolution + norm); a block joins at least two.
    elements = _elements(module)
    enough = all(_matrices(part) >= 2 for _, part in elements)
    return isinstance(module, _LISTS) and bool(elements) and enough


def _block_lists(
    module: nn.Module, path: str, head: Sequence[str]
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in children(module):
        inner = _join(path, name)
        if inner in head:
            continue
        if _is_block_list(child):
            yield inner, child
        else:
            yield from _block_lists(child, inner, head)


def _list_blocks(path: str, blocks: nn.Module) -> Iterator[str]:
    for name, part in _elements(blocks):
        yield from _stage_blocks(_join(path, name), part)


def _stage_blocks(path: str, module: nn.Module) -> Iterator[str]:
    """Yield the blocks of a stage, or the path itself when it is a block already."""
    if _is_block_list(module) and _is_most_alike(module, module):
        yield from _list_blocks(path, module)
        return
    for name, part in children(module):
        if _is_block_list(part) and _is_most_alike(part, module):
            # Depthwise + pointwise convolution is one layer: two of these make a block, no stage.
            if all(_mixing(element) >= 2 for _, element in _elements(part)):
                yield from _list_blocks(_join(path, name), part)
                return
    yield path


def _is_most_alike(part: nn.Module, module: nn.Module) -> bool:
    # The blocks of a stage are of one kind and make up most of it; the parts of a block do not.
    kinds = {type(element) for _, element in _elements(part)}
    return len(kinds) == 1 and 2 * _matrices(part) > _matrices(module)


def _mixing(module: nn.Module) -> int:
    """Count the weights that mix channels."""
    own = sum(w.ndim >= 2 and w.shape[1] > 1 for w in module.parameters(recurse=False))
    return own + sum(_mixing(part) for _, part in children(module))


def _branching_blocks(root: nn.Module, head: Sequence[str]) -> list[str]:
    """Split a network without lists of blocks where no child alone makes it up."""
    path, module = "", root
    while True:
        parts = [
            (_join(path, name), part)
            for name, part in children(module)
            if _has_parameters(part) and _join(path, name) not in head
        ]
        deep = [index for index, (_, part) in enumerate(parts) if _height(part) >= 2]
        half = _matrices(module, path, head) / 2
        most = [entry for entry in parts if _matrices(entry[1], entry[0], head) > half]
        if not most or not _elements(most[0][1]) or len(deep) > 1:
            break
        path, module = most[0]
    # Blocks made of layers outrank single layers, which then are stem and neck.
    if deep:
        parts = parts[deep[0] : deep[-1] + 1]
    whole = (entry for entry in parts if not any(h.startswith(f"{entry[0]}.") for h in head))
    return [block for unit in whole for block in _stage_blocks(*unit)]


def _tower_paths(lists: Sequence[str]) -> list[str]:
    """Return the tower of each list: "" for all of them when they are stages of one network."""
    one = [""] * len(lists)
    if len({path.rpartition(".")[0] for path in lists}) == 1:
        return one
    parts = [path.split(".") for path in lists]
    depth = len(commonprefix(parts)) + 1
    towers = [".".join(part[:depth]) for part in parts]
    return one if set(towers) & set(lists) else towers


def _as_chains(towers: Mapping[str, Sequence[str]]) -> tuple[Chain, ...]:
    chains = []
    for path, blocks in towers.items():
        prefix = f"{path.rpartition('.')[2]}." if len(towers) > 1 else ""
        if blocks:
            chains.append(Chain(path, prefix, tuple(blocks), _short_names(blocks)))
    return tuple(chains)


def _short_names(blocks: Sequence[str]) -> tuple[str, ...]:
    parts = [path.split(".") for path in blocks]
    common = len(commonprefix([part[:-1] for part in parts]))
    # A bare number says nothing: keep the name of the list ("layer.0").
    keep = max(common - 1, 0) if any(re.match(r"\d", part[common]) for part in parts) else common
    names = (".".join(part[keep:]) for part in parts)
    return tuple(f"{name}_block" if name in ROLES else name for name in names)
