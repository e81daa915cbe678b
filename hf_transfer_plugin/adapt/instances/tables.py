"""Feature tables of two domains, checked before anything is fitted on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.errors import DataError

__all__ = ["checked_labels", "domain_tables"]

Floats = NDArray[np.float64]


def domain_tables(source: ArrayLike, target: ArrayLike, what: str) -> tuple[Floats, Floats]:
    """Return both tables [rows, features] in float64.

    Args:
        source: [rows, features].
        target: [other rows, features].
        what: who asks, for the error.

    Raises:
        DataError: for a wrong shape, fewer than two rows, other widths or values not finite.
    """
    tables = [np.asarray(each, dtype=np.float64) for each in (source, target)]
    shapes = " and ".join(str(table.shape) for table in tables)
    flat = any(table.ndim != 2 or len(table) < 2 for table in tables)
    if flat or tables[0].shape[1] != tables[1].shape[1]:
        raise DataError(
            arrived=f"{what} got source and target of shape {shapes}",
            expected="two tables [rows, features] of one width, with two rows or more each",
            action="compute both with one checkpoint, one row an example",
        )
    if not all(bool(np.isfinite(table).all()) for table in tables):
        raise DataError(
            arrived=f"{what} got features that are not finite",
            expected="numbers",
            action="look for empty rows or overflow in the features",
        )
    return tables[0], tables[1]


def checked_labels(labels: ArrayLike, rows: int, what: str) -> NDArray[np.generic]:
    """Return labels [rows].

    Raises:
        DataError: for another length.
    """
    found = np.asarray(labels)
    if found.shape != (rows,):
        raise DataError(
            arrived=f"{what}: labels of shape {found.shape} for {rows} rows",
            expected="one label for each row",
            action="pass features and labels of the same rows, in the same order",
        )
    return found
