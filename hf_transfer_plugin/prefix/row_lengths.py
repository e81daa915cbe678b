"""Lengths of rows, as fast as the data allow: from Arrow, from the items, or by collating each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_transfer_plugin.data.domain_pairs import DomainRows
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.padding_probes import item_length
from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    from hf_transfer_plugin.prefix.padding import PaddingRules

__all__ = ["arrow_lengths", "read_lengths", "telling_rows"]

_READ = 10_000
_TELLING = 64

Lengths = np.ndarray[Any, np.dtype[np.int64]]


def arrow_lengths(dataset: Any) -> dict[str, Lengths]:
    """Return column of lists -> length of each row's list.

    Empty for what is not a `datasets.Dataset`, or has a transform, which may change lengths. Of two
    domains, the columns of both.
    """
    import datasets
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(dataset, DomainRows):
        of_each = [arrow_lengths(part) for part in dataset.parts.values()]
        names = set.intersection(*map(set, of_each))
        return {name: np.concatenate([each[name] for each in of_each]) for name in names}
    if not isinstance(dataset, datasets.Dataset) or dataset.format["type"] == "custom":
        return {}
    table = dataset.with_format("arrow")
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    schema = dataset.features.arrow_schema
    columns = [each.name for each in schema if any(is_kind(each.type) for is_kind in lists)]
    found = {}
    for name in columns:
        column = table.select_columns([name])
        parts = [
            pc.list_value_length(column[start : start + _READ][name]).combine_chunks()
            for start in range(0, len(dataset), _READ)
        ]
        if not any(part.null_count for part in parts):
            found[name] = np.concatenate([part.to_numpy().astype(np.int64) for part in parts])
    return found


def read_lengths(
    rules: PaddingRules,
    rows: int,
    read: Callable[[list[int]], list[Any]],
    collate: Callable[[list[Any]], Any],
) -> Lengths:
    """Read each row alone and return its length."""
    lengths = np.zeros(rows, np.int64)
    (first, *_) = (each for each in rules.fields if each.padded is not None)
    for row in track(range(rows), "Lengths of rows"):
        items = read([row])
        if rules.length_key is None:
            dimension = 1 + (first.padded or 0)
            lengths[row] = collate(items)[first.name].shape[dimension]
            continue
        length = item_length(items[0], rules.length_key)
        if length is None:
            raise NotCacheable(f"row {row} has no {rules.length_key} with a length")
        lengths[row] = length
    return lengths


def telling_rows(lengths: Sequence[int] | Lengths) -> list[int]:
    """Return a row of each length from shortest to longest, at most 64 of them."""
    values, rows = np.unique(np.asarray(lengths), return_index=True)
    chosen = np.unique(np.linspace(0, len(values) - 1, _TELLING).astype(int))
    return [int(rows[number]) for number in chosen]
