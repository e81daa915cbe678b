"""Labelled source rows and unlabelled target rows in one training set, one of each in an item."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from hf_transfer_plugin.errors import DataError

__all__ = ["UNLABELLED", "DomainPairs", "DomainPairsCollator", "DomainRows"]

#: The label of a row that has none: losses of torch and transformers leave it out.
UNLABELLED = -100

_LABELS = ("labels", "label", "label_ids")


class DomainRows:
    """The rows of two domains in a row: those of the source, then those of the target.

    Args:
        source: prepared rows with the model's inputs and a class.
        target: prepared rows with the same inputs. Their labels, if they have any, are not used.

    Attributes:
        label: name of the label.

    Raises:
        DataError: for a domain without rows or without a length, a source row without a class, or
            inputs that differ.
    """

    def __init__(self, source: Any, target: Any) -> None:
        self.source, self.target = source, target
        first = {name: _first_row(rows, name) for name, rows in self.parts.items()}
        self.label = next((name for name in _LABELS if name in first["source"]), "")
        self._unlabelled = _like(first["source"].get(self.label), self.label)
        ours, theirs = (set(row) - {self.label, *_LABELS} for row in first.values())
        if ours != theirs:
            raise DataError(
                arrived=f"source rows with {_named(ours)} and target rows with {_named(theirs)}",
                expected="the same inputs in both domains",
                action="prepare both with the same tokenizer or image processor, and remove other "
                "columns",
            )

    @property
    def parts(self) -> dict[str, Any]:
        """Return the rows of each domain, as they were given."""
        return {"source": self.source, "target": self.target}

    def __len__(self) -> int:
        """Return the number of rows of both domains."""
        return len(self.source) + len(self.target)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a row; one of the target has the label -100."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self.__getitems__([int(index) % len(self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return rows; each domain is asked once."""
        first = len(self.source)
        ours = iter(_read(self.source, [i for i in indices if i < first]))
        theirs = iter(_read(self.target, [i - first for i in indices if i >= first]))
        return [dict(next(ours)) if i < first else self._without(next(theirs)) for i in indices]

    def _without(self, row: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in row.items() if name not in _LABELS}
        return {**kept, self.label: self._unlabelled}


class DomainPairs:
    """A training set whose items are pairs: a labelled source row and an unlabelled target row.

    There are as many pairs as the larger domain has rows. It stands in its own order; the rows of
    the smaller one are repeated, each time in another order. The order follows from the seed
    alone, so a run that goes on, or runs on several processes, needs nothing stored. `batch_size`
    of a Trainer then counts pairs. For classification: one class a row.

    Args:
        source: labelled rows with the model's inputs: a `datasets.Dataset`, or anything with a
            length and items. They hold what the model reads and nothing else.
        target: rows of the target, with the same inputs. A label is replaced by -100.
        seed: of the pairing.

    Attributes:
        rows: the rows of both domains, each once.

    Raises:
        DataError: for a domain without rows or without a length, a source row without a class, or
            inputs that differ.

    Example:
        >>> pairs = DomainPairs(photos, sketches)
        >>> Trainer(..., train_dataset=pairs, data_collator=DomainPairsCollator(collate))
    """

    def __init__(self, source: Any, target: Any, *, seed: int = 0) -> None:
        self.rows = DomainRows(source, target)
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of pairs: that of the rows of the larger domain."""
        return max(map(len, self.rows.parts.values()))

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a source row and a target row."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        return self.__getitems__([int(index) % len(self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return pairs; each domain is asked once."""
        rows = self.rows.__getitems__(self.row_numbers(indices))
        return list(zip(rows[: len(indices)], rows[len(indices) :], strict=True))

    def row_numbers(self, indices: Sequence[int]) -> list[int]:
        """Return where in `rows` the rows of pairs stand: all of the source, then of the target.

        Args:
            indices: of the pairs.
        """
        ours, theirs = self._order
        first = len(self.rows.source)
        return [int(ours[i]) for i in indices] + [first + int(theirs[i]) for i in indices]

    @cached_property
    def _order(self) -> tuple[Any, Any]:
        import numpy as np

        draw, pairs = np.random.default_rng(self.seed), len(self)

        def order(rows: int, in_order: bool) -> Any:
            if in_order:
                return np.arange(rows)
            rounds = [draw.permutation(rows) for _ in range(-(-pairs // rows))]
            return np.concatenate(rounds)[:pairs]

        ours, theirs = map(len, self.rows.parts.values())
        return order(ours, ours == pairs), order(theirs, theirs == pairs and ours != pairs)


class DomainPairsCollator:
    """Puts n pairs together as a batch of 2n rows: those of the source, then those of the target.

    Single rows become a batch as they are, so a Trainer can evaluate with it.

    Args:
        collate: list of rows -> batch of tensors; pads all rows of both domains to one length.
    """

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: Sequence[Any]) -> Any:
        """Return a batch."""
        if isinstance(items[0], Mapping):
            return self.collate(list(items))
        return self.collate([pair[side] for side in (0, 1) for pair in items])


def _first_row(rows: Any, domain: str) -> Mapping[str, Any]:
    if not (hasattr(rows, "__len__") and hasattr(rows, "__getitem__")):
        raise DataError(
            arrived=f"{domain} rows that are a stream ({type(rows).__name__})",
            expected="a dataset with a length and items",
            action="load the dataset whole",
        )
    if len(rows) == 0:
        raise DataError(
            arrived=f"no {domain} rows",
            expected="labelled rows of the source and rows of the target",
            action=f"check the file or the filter that gave the {domain}",
        )
    row = rows[0]
    if not isinstance(row, Mapping):
        raise DataError(
            arrived=f"{domain} rows that are {type(row).__name__}",
            expected="rows with names: the model's inputs and labels",
            action="give a datasets.Dataset, or items that are dictionaries",
        )
    return row


def _like(label: Any, name: str) -> Any:
    """Return -100 as a value of the same kind as a label."""
    try:
        operator.index(label)
    except TypeError:
        raise DataError(
            arrived=f"source rows whose {name} is a {type(label).__name__}"
            if name
            else "source rows without labels",
            expected="`labels`: the number of the class of each source row",
            action="give rows of a classification task; domains are not paired for other tasks",
        ) from None
    return label.new_full((), UNLABELLED) if hasattr(label, "new_full") else UNLABELLED


def _read(rows: Any, indices: list[int]) -> Sequence[Mapping[str, Any]]:
    together = getattr(rows, "__getitems__", None)
    if together is not None and indices:
        found: Sequence[Mapping[str, Any]] = together(indices)
        return found
    return [rows[index] for index in indices]


def _named(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no inputs"
