"""A dataset of a Trainer whose rows come from the cache once they are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from hf_transfer_plugin.adapt.instances.reweighted_rows import ReweightedRows
from hf_transfer_plugin.data.augmented_images import AugmentedImages
from hf_transfer_plugin.data.domain_pairs import DomainPairs
from hf_transfer_plugin.prefix.cut import Cut
from hf_transfer_plugin.prefix.determinism import check_deterministic
from hf_transfer_plugin.prefix.light_rows import LightDataset, LightRow
from hf_transfer_plugin.prefix.row_source import RowSource
from hf_transfer_plugin.prefix.row_store import RowStore
from hf_transfer_plugin.prefix.stored_rows import StoredRows

__all__ = ["ROWS_KEY", "Boundary", "LightCollator", "ServedRows"]

#: In a batch: which rows it holds, [rows, 2] of dataset number and row.
ROWS_KEY = "prefix_rows"


@dataclass(frozen=True, eq=False)
class Given:
    """What a Trainer was given: its rows are those of one of these, and of no other.

    Attributes:
        dataset: as it was given.
        collate: the collator.
        for_training: whether it is the training set.
    """

    dataset: Any
    collate: Any
    for_training: bool

    def is_same(self, other: Given) -> bool:
        """Tell whether another one holds the same objects."""
        return (
            self.dataset is other.dataset
            and self.collate is other.collate
            and self.for_training == other.for_training
        )


@dataclass(frozen=True)
class Boundary:
    """A cut and the weights below it.

    Attributes:
        cut: where the prefix ends.
        weights: digest of what it computes with.
    """

    cut: Cut
    weights: str


class ServedRows:
    """One dataset, its entries in the cache, and whether they are in use.

    Args:
        number: by which a batch tells which dataset it comes from.
        given: what the Trainer was given.
        dataset: as Trainer would read it.
        collate: as Trainer would call it.
        views: versions of each example.
        seed: of the views.

    Raises:
        NotCacheable: for a stream.
    """

    def __init__(
        self, number: int, given: Given, dataset: Any, collate: Any, *, views: int, seed: int
    ) -> None:
        self.number, self.given = number, given
        self._pairs = dataset if isinstance(dataset, DomainPairs) else None
        self._drawn = dataset if isinstance(dataset, ReweightedRows) else None
        behind = self._pairs or self._drawn
        rows = dataset if behind is None else behind.rows
        self.source = RowSource(rows, collate, views=views, seed=seed)
        self.light = LightDataset(dataset)
        self.rows: StoredRows | None = None
        self.stores: dict[str, RowStore] = {}
        self.boundaries: dict[str, Boundary] = {}
        self._checked = False
        # Seen by dataloader workers, too: on, epoch.
        self._shared = torch.zeros(2, dtype=torch.int64).share_memory_()

    def __getstate__(self) -> dict[str, Any]:
        """Leave entries behind; a worker that is not forked reads the dataset itself."""
        return {**self.__dict__, "rows": None, "stores": {}, "boundaries": {}, "given": None}

    def is_unchanged(self) -> bool:
        """Tell whether the rows that were looked at are still the same: objects can be changed."""
        known = vars(self).get("fingerprint")
        return known is not None and self.source.fingerprint() == known

    @cached_property
    def fingerprint(self) -> str:
        """A text that changes when anything does that the model reads."""
        return self.source.fingerprint()

    def check(self) -> None:
        """Check once that reading a row twice gives the same.

        Raises:
            NotCacheable: when it does not.
        """
        if not self._checked:
            check_deterministic(self.source)
            self._checked = True

    def is_like(self, other: ServedRows) -> bool:
        """Tell whether rows have the same fields and are padded in the same way."""
        ours, theirs = self.source.rules, other.source.rules
        same = {f.name: f.shape for f in ours.fields} == {f.name: f.shape for f in theirs.fields}
        return same and (ours.left, ours.multiple) == (theirs.left, theirs.multiple)

    @property
    def rows_per_example(self) -> int:
        """Return how many rows are read for an example: two for a pair."""
        return 1 if self._pairs is None else 2

    @property
    def is_on(self) -> bool:
        """Tell whether batches come from the cache."""
        return bool(self._shared[0]) and self.rows is not None

    def switch(self, on: bool) -> None:
        """Let batches come from the cache, or from the dataset."""
        self._shared[0] = on

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is: each takes other views."""
        self._shared[1] = epoch
        if isinstance(self.source.dataset, AugmentedImages):
            self.source.dataset.set_epoch(epoch)

    def row_numbers(self, examples: Sequence[int]) -> np.ndarray:
        """Return the row of each example in this epoch: its views take turns.

        Of pairs the rows of all sources, then those of all targets; of rows drawn by weights the
        rows behind them.
        """
        if self._pairs is not None:
            examples = self._pairs.row_numbers(examples)
        numbers, views = np.asarray(examples, dtype=np.int64), self.source.views
        if self._drawn is not None:
            numbers = self._drawn.row_numbers[numbers]
        if isinstance(self.source.dataset, AugmentedImages):
            return numbers * views + self.source.dataset.view
        # Neighbours begin with different views.
        start = numbers * 2654435761 % 2**32 * views >> 32
        return numbers * views + (start + int(self._shared[1])) % views

    def plain_batch(self, examples: Sequence[int]) -> Any:
        """Return a batch read from the dataset, as without a cache."""
        dataset = self.light.dataset
        together = getattr(dataset, "__getitems__", None)
        items = together(list(examples)) if together else [dataset[each] for each in examples]
        return self.source.collate(items)


class LightCollator:
    """Puts light rows together: from the cache when it is on, else from the dataset.

    Args:
        served: where the rows come from.
    """

    def __init__(self, served: ServedRows) -> None:
        self._served = served

    def __call__(self, items: Sequence[LightRow]) -> Any:
        """Return a batch."""
        served, examples = self._served, [item.index for item in items]
        if not served.is_on or served.rows is None:
            return served.plain_batch(examples)
        rows = served.row_numbers(examples)
        numbers = np.stack([np.full_like(rows, served.number), rows], axis=1)
        return {**served.rows.batch(rows), ROWS_KEY: torch.from_numpy(numbers)}
