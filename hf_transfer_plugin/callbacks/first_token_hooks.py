"""The last block of an encoder computes its first token alone where the head reads no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from hf_transfer_plugin.callbacks.hook_functions import as_function
from hf_transfer_plugin.callbacks.objective_reading import PassReader
from hf_transfer_plugin.objective_kinds import Reads

__all__ = ["computing_first_token_alone", "last_block", "trial_batch"]


@dataclass(frozen=True)
class FirstTokenParts:
    """Where a block projects its queries, and what it hands the attended tokens to after that."""

    query: str
    after: tuple[str, ...]


_TRIED = ("sdpa", "eager")  # also run on a processor
_ONCE = "hf_transfer_plugin_once"
_TOLERANCE = 1e-3
_TRIAL_ROWS = 4
_KNOWN = (
    # BERT, RoBERTa, ELECTRA and their kin
    FirstTokenParts("attention.self.query", ("attention.output",)),
    FirstTokenParts("attention.q_lin", ("attention.out_lin", "sa_layer_norm")),  # DistilBERT
    FirstTokenParts("attention.q_proj", ("attention.o_proj", "layernorm_after")),  # ViT
)


@contextmanager
def computing_first_token_alone(
    model: nn.Module,
    batch: Callable[[], Mapping[str, torch.Tensor]],
    *,
    reads: frozenset[Reads] = frozenset(),
) -> Iterator[bool]:
    """Let the last block compute the first token alone, wherever that gives the same answers.

    A head that reads the first token ([CLS]) needs keys and values of all tokens from the last
    block, but queries, attention's output and the feed-forward layer of one: about a fifth of the
    arithmetic, forward and backward. Loss and gradients are those of the whole block (dropout
    draws for one token, so other numbers). It is tried on a batch first; where answers differ, as
    with a mean over tokens, or the block is of a kind not known here, nothing changes. Nor does
    it where the block's outputs may be stored for all tokens: while none of its weights trains,
    and in inference mode, in which the prefix cache is filled.

    Args:
        model: with a head for classes.
        batch: gives some rows to try it on, called for a block of a known kind alone.
        reads: what objectives read: with "layers" nothing changes, and but for "weights" the
            features of each row must be the same, too.

    Yields:
        whether the first token is computed alone.
    """
    found = last_block(model)
    features = bool(reads - {"weights"})
    if found is None or "layers" in reads or not _agrees(model, *found, batch(), features):
        yield False
        return
    with _narrowed(*found):
        yield True


def trial_batch(rows: Any, collate: Callable[[Any], Any]) -> Any:
    """Return the first rows of a dataset as a batch to try it on."""
    return collate([rows[number] for number in range(min(_TRIAL_ROWS, len(rows)))])


def last_block(model: nn.Module) -> tuple[nn.Module, FirstTokenParts] | None:
    """Return the last block of a kind known here, and its parts; None where there is none."""
    of: Any = model
    if not getattr(of, "_supports_attention_backend", False):
        return None
    if of.config._attn_implementation not in _TRIED:
        return None
    modules = dict(model.named_modules())
    blocks = [
        (module, parts)
        for name, module in modules.items()
        for parts in _KNOWN
        if all(f"{name}.{path}" in modules for path in (parts.query, *parts.after))
    ]
    return blocks[-1] if blocks else None


@contextmanager
def _narrowed(block: nn.Module, parts: FirstTokenParts, always: bool = False) -> Iterator[None]:
    tokens: list[int] = []

    def active() -> bool:
        if torch.is_inference_mode_enabled():
            return False
        return always or any(parameter.requires_grad for parameter in block.parameters())

    def before_query(_: nn.Module, args: Any) -> Any:
        if active():
            tokens.append(args[0].shape[1])
            return (args[0][:, :1],)
        return None

    def after_query(_: nn.Module, args: Any, output: torch.Tensor) -> Any:
        return output.expand(-1, tokens.pop(), -1) if tokens else None

    def first_alone(_: nn.Module, args: Any, kwargs: Any) -> Any:
        return tree_map(lambda value: value[:, :1], (args, kwargs)) if active() else None

    attention: Any = block.get_submodule(parts.query.rpartition(".")[0])
    config = attention.config
    if config._attn_implementation == "sdpa":
        attention.config = copy(config)
        attention.config._attn_implementation = _ONCE
    query = block.get_submodule(parts.query)
    hooks = [
        query.register_forward_pre_hook(as_function(before_query)),
        query.register_forward_hook(as_function(after_query)),
    ]
    for path in parts.after:
        part = block.get_submodule(path)
        hooks.append(part.register_forward_pre_hook(as_function(first_alone), with_kwargs=True))
    try:
        yield
    finally:
        attention.config = config
        for hook in hooks:
            hook.remove()


def _attend_once(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as "sdpa" does; a query that was repeated, [rows, heads, tokens, width], once."""
    if query.stride(2) or options.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    mask = None if attention_mask is None else attention_mask[:, :, :1]
    attended, none = sdpa_attention_forward(module, query[:, :, :1], key, value, mask, **options)
    return attended.expand(-1, query.shape[2], -1, -1), none


AttentionInterface.register(_ONCE, _attend_once)


@torch.no_grad()
def _agrees(
    model: nn.Module,
    block: nn.Module,
    parts: FirstTokenParts,
    batch: Mapping[str, torch.Tensor],
    features: bool,
) -> bool:
    """Tell whether the answers to a batch, and the features of its rows, are the same narrowed."""
    reader = PassReader(model, frozenset({"features"} if features else ()))
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    was_training = model.training
    model.eval()
    try:
        whole, all_read = model(**inputs), reader.read(inputs).features
        with _narrowed(block, parts, always=True):
            narrow, first_read = model(**inputs), reader.read(inputs).features
    finally:
        model.train(was_training)
        reader.remove()
    same = _same(whole.logits, narrow.logits) and _all_close(whole, narrow)
    return same and (all_read is None or first_read is None or _same(all_read, first_read))


def _all_close(whole: Any, narrow: Any) -> bool:
    """Tell whether whatever else the model hands on (hidden states, attentions) is the same."""
    for one, other in zip(tree_leaves(dict(whole)), tree_leaves(dict(narrow)), strict=True):
        if torch.is_tensor(one) and (
            one.shape != other.shape or not torch.allclose(one, other, atol=_TOLERANCE)
        ):
            return False
    return True


def _same(whole: torch.Tensor, narrow: torch.Tensor) -> bool:
    """Tell whether two are equal beside how rows differ; rows all alike would show nothing."""
    if whole.shape != narrow.shape:
        return False
    differ = (whole - whole.mean(0)).abs().max()
    return bool((whole - narrow).abs().max() < _TOLERANCE * differ)
