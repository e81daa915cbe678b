"""Rows that come as often as their weights say: importance weighting for any Trainer."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.adapt.instances.weights import checked_weights
from hf_transfer_plugin.errors import ConfigError, DataError

__all__ = ["ReweightedRows"]


class Rows(Sized, Protocol):
    """A map-style dataset."""

    def __getitem__(self, row: int) -> Any: ...


class ReweightedRows:
    """A map-style dataset whose rows are drawn from another by their weights.

    Importance resampling: a row of weight w is expected w / mean(w) x length / rows times, and is
    there that often rounded down or up (systematic resampling, which adds less noise than
    independent draws). The loss of an unmodified Trainer, its gradient accumulation, its processes
    and any collator then need nothing new; a weighted loss would need another loss in each model,
    and a batch of a few heavy rows has gradients as noisy as those rows are few. What is drawn
    follows from the seed alone, so a resumed run sees the same rows.

    Rows with a small weight may be left out altogether. A longer dataset keeps more of them: take
    `length = epochs x len(rows)` and one epoch.

    Example:
        >>> weights = density_ratio_weights(source_features, target_features).values
        >>> Trainer(model, args, train_dataset=ReweightedRows(source_rows, weights))

    Attributes:
        rows: as they were given.
        row_numbers: [length], the row behind each item.

    Args:
        rows: anything with a length and rows by number, such as a `datasets.Dataset`.
        weights: [rows], from 0.
        length: number of items; None: as many as there are rows.
        seed: of the draw.

    Raises:
        DataError: for weights that do not fit the rows.
        ConfigError: for a length below 1.

    References:
        Rubin, "Using the SIR Algorithm to Simulate Posterior Distributions" (1988); Kitagawa,
        "Monte Carlo Filter and Smoother" (1996), for systematic resampling.
    """

    def __init__(
        self, rows: Rows, weights: ArrayLike, *, length: int | None = None, seed: int = 0
    ) -> None:
        values = checked_weights(weights)
        if len(values) != len(rows):
            raise DataError(
                arrived=f"{len(values)} weights for {len(rows)} rows",
                expected="one weight for each row, in the order of the rows",
                action="weigh the rows that are trained on",
            )
        if length is not None and length < 1:
            raise ConfigError(
                arrived=f"ReweightedRows with length={length}",
                expected="a number above 0",
                action="leave length out for as many items as rows",
            )
        self.rows = rows
        self.row_numbers = _drawn(values, length or len(values), seed)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.row_numbers)

    def __getitem__(self, item: int) -> Any:
        """Return the row behind an item."""
        return self.rows[int(self.row_numbers[item])]


def _drawn(weights: NDArray[np.float64], length: int, seed: int) -> NDArray[np.int64]:
    """Return row numbers [length] in random order."""
    draw = np.random.default_rng(seed)
    ends = np.cumsum(weights)
    points = (np.arange(length) + draw.random()) * (ends[-1] / length)
    # Rounding may put the last point behind the last end.
    rows = np.minimum(np.searchsorted(ends, points, side="right"), int(np.flatnonzero(weights)[-1]))
    return draw.permutation(rows).astype(np.int64)
