"""Padding rules from probes: collate rows alone and together, and see what the collator adds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.padding import PaddingRules, RowField, same_values

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["item_length", "learn_rules"]

_GROUPS = 16
_MOST = 8

Batch = dict[str, Any]
Number = float | int | bool
Collate = Callable[[list[Any]], Mapping[str, Any]]
Read = Callable[[list[int]], list[Any]]


def item_length(item: Any, key: str) -> int | None:
    """Return `len(item[key])`, None when there is none."""
    try:
        value = item[key]
        return None if isinstance(value, str | bytes | Mapping) else len(value)
    except (TypeError, KeyError, IndexError):
        return None


def learn_rules(read: Read, collate: Collate, probes: Sequence[int]) -> PaddingRules:
    """Find out how rows become a batch.

    Args:
        read: row numbers -> items; reading together may differ from reading alone.
        collate: list of items -> batch.
        probes: numbers of the rows to look at.

    Raises:
        NotCacheable: when a batch is more than its rows, padded on one side with one value.
    """
    items = [read([row])[0] for row in probes]
    groups = [[number] for number in range(len(items))] + _groups(len(items))
    batches = [_collated(collate, [item]) for item in items]
    for group in groups[len(items) :]:
        batches.append(_collated(collate, read([probes[number] for number in group])))
    names = list(batches[0])
    if any(batch.keys() != batches[0].keys() for batch in batches):
        raise NotCacheable("the data collator gives other fields for other rows")
    constants, ragged, fields = {}, {}, []
    for name in names:
        values = [batch[name] for batch in batches]
        if not _by_row(values, groups):
            constants[name] = _constant(name, values)
        elif (shape := _row_shape(name, values)) and None in shape:
            ragged[name] = shape
        else:
            fields.append(RowField(name, values[0].dtype, shape))
    if not fields and not ragged:
        raise NotCacheable("the data collator gives no tensor with an entry for each row")
    if not ragged:
        return _verified(PaddingRules(tuple(fields), constants=constants), None, batches, groups)
    alone = _alone(ragged, batches[: len(items)])
    key, multiple, lengths = _true_lengths(items, alone, [*ragged, *names])
    for left in (False, True):
        rules = PaddingRules((), left, multiple)
        pads = {
            name: _pad(rules, shape.index(None), lengths, groups, [b[name] for b in batches])
            for name, shape in ragged.items()
        }
        found = {name: pad for name, pad in pads.items() if pad is not None}
        if len(found) == len(ragged):
            padded = [RowField(n, batches[0][n].dtype, s, found[n]) for n, s in ragged.items()]
            every = {each.name: each for each in fields + padded}
            kept = tuple(every[name] for name in names if name in every)
            rules = PaddingRules(kept, left, multiple, key, constants)
            return _verified(rules, lengths, batches, groups)
    raise NotCacheable(
        f"the data collator does more to {' and '.join(ragged)} than to fill up short rows on one "
        "side with one value, to the length of the longest row"
    )


def _groups(count: int) -> list[list[int]]:
    """Return groups of probes of several sizes, among them all and neighbours."""
    draw = random.Random(0)
    groups = [list(range(count)), [0, count - 1], [count - 1, 0, 0]]
    for number in range(_GROUPS):
        groups.append([draw.randrange(count) for _ in range(2 + number % (_MOST - 1))])
    return groups


def _collated(collate: Collate, items: list[Any]) -> Batch:
    batch = collate(items)
    if not isinstance(batch, Mapping):
        raise NotCacheable(f"the data collator gives a {type(batch).__name__}, not a dict")
    return dict(batch)


def _by_row(values: list[Any], groups: list[list[int]]) -> bool:
    """Return whether a field has an entry for each row."""
    import torch

    return all(
        isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == len(group)
        for value, group in zip(values, groups, strict=True)
    )


def _constant(name: str, values: list[Any]) -> Any:
    if all(same_values(values[0], value) for value in values[1:]):
        return values[0]
    raise NotCacheable(
        f"the field {name} ({type(values[0]).__name__}) differs from batch to batch and is no "
        "tensor with an entry for each row"
    )


def _row_shape(name: str, values: list[Tensor]) -> tuple[int | None, ...]:
    """Return the shape of one row, None where rows differ."""
    if len({value.dtype for value in values}) > 1 or len({value.dim() for value in values}) > 1:
        raise NotCacheable(f"the field {name} has another type or rank in other batches")
    sizes = [set(size) for size in zip(*(value.shape[1:] for value in values), strict=True)]
    shape = tuple(size.copy().pop() if len(size) == 1 else None for size in sizes)
    if shape.count(None) > 1:
        raise NotCacheable(f"the field {name} is padded in more than one dimension")
    return shape


def _alone(ragged: Mapping[str, tuple[int | None, ...]], singles: list[Batch]) -> list[int]:
    """Return the length of each row collated alone, which all padded fields share."""
    lengths = {
        name: [batch[name].shape[shape.index(None) + 1] for batch in singles]
        for name, shape in ragged.items()
    }
    first, *others = lengths.items()
    for name, found in others:
        if found != first[1]:
            raise NotCacheable(f"the fields {first[0]} and {name} of one row differ in length")
    return first[1]


def _true_lengths(
    items: Sequence[Any], alone: list[int], names: list[str]
) -> tuple[str | None, int, list[int]]:
    """Find the key of an item whose length, rounded up, is that of the row collated alone."""
    keys = [key for key in items[0] if isinstance(key, str)] if _keyed(items[0]) else []
    for key in sorted(keys, key=lambda key: names.index(key) if key in names else len(names)):
        found = [item_length(item, key) for item in items]
        lengths = [length for length in found if length is not None]
        if len(lengths) < len(items):
            continue
        if lengths == alone:
            return key, 1, lengths
        step = math.gcd(*alone)
        for multiple in (size for size in range(step, 1, -1) if step % size == 0):
            if [-(-length // multiple) * multiple for length in lengths] == alone:
                return key, multiple, lengths
    return None, 1, alone


def _keyed(item: Any) -> bool:
    return isinstance(item, Mapping) or hasattr(item, "keys")


def _pad(
    rules: PaddingRules,
    dimension: int,
    lengths: list[int],
    groups: list[list[int]],
    values: list[Tensor],
) -> Number | None:
    """Return the one value that fills a field up on this side, None when that does not explain it.

    Each row's own part must be the same in every batch.
    """
    own: dict[int, Tensor] = {}
    filled: set[Number] = set()
    for group, value in zip(groups, values, strict=True):
        whole = value.shape[dimension + 1]
        if whole != rules.batch_length([lengths[number] for number in group]):
            return None
        for number, row in zip(group, value, strict=True):
            length = lengths[number]
            start, rest = (whole - length, 0) if rules.left else (0, length)
            part = row.narrow(dimension, start, length)
            if not same_values(own.setdefault(number, part), part):
                return None
            filled |= set(row.narrow(dimension, rest, whole - length).unique().tolist())
    return filled.pop() if len(filled) == 1 else None


def _verified(
    rules: PaddingRules, lengths: list[int] | None, batches: list[Batch], groups: list[list[int]]
) -> PaddingRules:
    """Return the rules if rows cut out of batches of one make up each other batch."""
    own: dict[int, dict[str, list[Tensor]]] = {}
    for group, batch in zip(groups, batches, strict=True):
        if len(group) == 1 and group[0] not in own:
            known = None if lengths is None else [lengths[group[0]]]
            own[group[0]] = rules.split(batch, known)
        rows = {f.name: [own[number][f.name][0] for number in group] for f in rules.fields}
        for name, value in rules.join(rows).items():
            if not same_values(value, batch[name]):
                raise NotCacheable(
                    f"a row's {name} depends on the other rows of its batch, so it cannot be kept"
                )
    return rules
