"""Rows of a Trainer's dataset: read, collated, measured, and named by a fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_transfer_plugin.data.augmented_images import AugmentedImages
from hf_transfer_plugin.data.domain_pairs import DomainRows
from hf_transfer_plugin.prefix.data_fingerprint import data_fingerprint
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.padding_probes import item_length, learn_rules
from hf_transfer_plugin.prefix.row_lengths import (
    Lengths,
    arrow_lengths,
    read_lengths,
    telling_rows,
)
from hf_transfer_plugin.random_states import kept_random_states, seed_everything

if TYPE_CHECKING:
    from torch import Tensor

    from hf_transfer_plugin.prefix.padding import PaddingRules

__all__ = ["RowSource"]

_PROBES = 32


class RowSource:
    """What the model reads of each row.

    A row is an example, or one of several views of it: row = example * views + view.

    Args:
        dataset: has a length and items.
        collate: list of items -> batch; drops columns that the model does not read.
        views: versions of each example. With more than one, the random numbers that the dataset
            draws for a view are the same each time that it is read. `AugmentedImages` are asked
            for the view.
        seed: of the views.

    Raises:
        NotCacheable: when the dataset has no length or no rows.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any],
        *,
        views: int = 1,
        seed: int = 0,
    ) -> None:
        if views < 1:
            raise ValueError(f"views={views}, expected 1 or more")
        if _is_stream(dataset):
            raise NotCacheable(
                f"the dataset ({type(dataset).__name__}) is a stream: its rows have no numbers by "
                "which to find them again; use a dataset with a length and items"
            )
        if len(dataset) == 0:
            raise NotCacheable("the dataset is empty")
        self.dataset = dataset
        self.collate = collate
        self.examples = len(dataset)
        self.views = views
        self.rows = self.examples * views
        self.seed = seed

    @property
    def domains(self) -> tuple[range, ...]:
        """Return the rows of source and target; one range of all rows where there are no two."""
        if not isinstance(self.dataset, DomainRows):
            return (range(self.rows),)
        first = len(self.dataset.source) * self.views
        return range(first), range(first, self.rows)

    def spread(self, count: int) -> list[int]:
        """Return at most `count` row numbers from first to last."""
        return [int(row) for row in np.unique(np.linspace(0, self.rows - 1, count).astype(int))]

    def features(self, rows: Iterable[int]) -> list[Any]:
        """Return the items of rows, as the dataset gives them."""
        numbers = [self._checked(row) for row in rows]
        if isinstance(self.dataset, AugmentedImages):
            return self.dataset.versions([divmod(number, self.views) for number in numbers])
        if self.views == 1:
            together = getattr(self.dataset, "__getitems__", None)
            if together is not None:
                return list(together(numbers))
            return [self.dataset[number] for number in numbers]
        items = []
        with kept_random_states():
            for number in numbers:
                example, view = divmod(number, self.views)
                seed_everything(self.seed, example, view)
                items.append(self.dataset[example])
        return items

    def _checked(self, row: int) -> int:
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        return int(row)

    def batch(self, rows: Iterable[int]) -> dict[str, Any]:
        """Return rows as the collator puts them together, its constants included."""
        return dict(self.collate(self.features(rows)))

    def lengths(self) -> Lengths | None:
        """Return the length of each row collated alone, None when no field is padded."""
        return self._learned[1]

    @property
    def rules(self) -> PaddingRules:
        """Return how rows become a batch.

        Raises:
            NotCacheable: when a batch is more than its rows with padding.
        """
        return self._learned[0]

    def split(self, batch: dict[str, Any], rows: Sequence[int]) -> dict[str, list[Tensor]]:
        """Cut a batch of these rows into rows without padding, for each field with rows.

        Raises:
            DataError: when a row has another shape than the rows looked at before.
        """
        lengths = self.lengths()
        return self.rules.split(batch, None if lengths is None else lengths[list(rows)].tolist())

    def fingerprint(self) -> str:
        """Return a text that changes when anything does that the model reads."""
        return data_fingerprint(self)

    @cached_property
    def _learned(self) -> tuple[PaddingRules, Lengths | None]:
        """Learn from spread rows; when lengths differ, again from rows of each length."""
        with kept_random_states():
            return self._learn()

    def _learn(self) -> tuple[PaddingRules, Lengths | None]:
        known = {k: np.repeat(v, self.views) for k, v in arrow_lengths(self.dataset).items()}
        probes = self.spread(_PROBES)
        for lengths in known.values():
            rows = telling_rows(lengths)
            probes += [rows[0], rows[-1]]
        rules = self._rules_of(probes)
        if not rules.ragged:
            return rules, None
        lengths = self._lengths_by(rules, known)
        again = self._rules_of(probes + telling_rows(lengths))
        if again.length_key != rules.length_key:
            lengths = self._lengths_by(again, known)
        return again, lengths

    def _rules_of(self, probes: Sequence[int]) -> PaddingRules:
        return learn_rules(self.features, self.collate, sorted(set(probes)))

    def _lengths_by(self, rules: PaddingRules, known: dict[str, Lengths]) -> Lengths:
        lengths = known.get(rules.length_key or "")
        if lengths is not None:
            checked = self.spread(_PROBES)
            items = [self.features([row])[0] for row in checked]
            if [item_length(item, str(rules.length_key)) for item in items] == [*lengths[checked]]:
                return lengths
        return read_lengths(rules, self.rows, self.features, self.collate)


def _is_stream(dataset: Any) -> bool:
    from torch.utils.data import IterableDataset

    items = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    return not items or isinstance(dataset, IterableDataset)
