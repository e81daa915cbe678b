"""The datasets that a Trainer was given, each with the rows that are served for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transformers import Trainer

from hf_transfer_plugin.callbacks.light_dataloaders import as_trainer_reads
from hf_transfer_plugin.callbacks.prefix_checks import why_not
from hf_transfer_plugin.callbacks.served_rows import Given, ServedRows
from hf_transfer_plugin.data import AugmentedImages
from hf_transfer_plugin.prefix.determinism import NotCacheable

__all__ = ["ServedDatasets"]


class ServedDatasets:
    """Numbers datasets in the order in which they came; one that has changed keeps its number.

    Args:
        trainer: reads them.
        views: versions of each example of a training set.
    """

    def __init__(self, trainer: Trainer, views: int) -> None:
        self._trainer, self._views = trainer, views
        self._served: list[ServedRows] = []

    def __getitem__(self, number: int) -> ServedRows:
        return self._served[number]

    def __iter__(self) -> Iterator[ServedRows]:
        return iter(self._served)

    def rows_of(self, dataset: Any, for_training: bool, *, trust: bool) -> ServedRows:
        """Return the rows of a dataset: those it had before, unless it was changed since.

        Args:
            dataset: as the Trainer was given it.
            for_training: whether it is the training set.
            trust: take it for unchanged without another look at its rows.

        Raises:
            NotCacheable: when they cannot come from a cache.
        """
        given = Given(dataset, self._trainer.data_collator, for_training)
        known = next((each for each in self._served if each.given.is_same(given)), None)
        if known is not None and (trust or known.is_unchanged()):
            return known
        reason = why_not(self._trainer, given.dataset, given.for_training)
        if reason:
            raise NotCacheable(reason)
        number = len(self._served) if known is None else known.number
        served = self._new(given, number)
        self._served[number : number + 1] = [served]
        return served

    def _new(self, given: Given, number: int) -> ServedRows:
        dataset, collate = as_trainer_reads(self._trainer, given.dataset)
        views, seed = self._views if given.for_training else 1, self._trainer.args.seed
        if isinstance(dataset, AugmentedImages):
            views, seed = dataset.views or 1, dataset.seed
        return ServedRows(number, given, dataset, collate, views=views, seed=seed)
