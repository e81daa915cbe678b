"""Which entries of the cache a dataset needs for some boundaries, and their filling."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from hf_transfer_plugin.callbacks.fed_model import FedModel
from hf_transfer_plugin.callbacks.served_rows import Boundary, ServedRows
from hf_transfer_plugin.errors import CacheSpaceError, TransferError
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import delete
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.filling import Target, fill
from hf_transfer_plugin.prefix.row_store import ArraySpec, RowStore
from hf_transfer_plugin.prefix.stored_rows import StoredRows, array_spec, input_specs
from hf_transfer_plugin.prefix.weights_digest import WeightsDigest
from hf_transfer_plugin.processes import is_first, of_all, world_size

__all__ = ["PrefixEntries", "agreed"]

logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def agreed(work: Callable[[], _Result]) -> _Result:
    """Do something in every process; when it cannot be done in one, it cannot be done.

    Raises:
        NotCacheable: with the reason of the first process that has one.
    """
    result, reason = None, ""
    try:
        result = work()
    except NotCacheable as error:
        reason = error.reason
    except TransferError as error:
        reason = str(error)
    reasons = [text for text in of_all(reason) if text]
    if reasons:
        raise NotCacheable(reasons[0])
    return cast(_Result, result)


def _lock(locks: ExitStack, stores: Sequence[RowStore]) -> None:
    for store in stores:
        locks.enter_context(store.locked())


def _reopen(stores: Sequence[RowStore]) -> None:
    for store in stores:
        store.reopen()


class PrefixEntries:
    """Opens and fills entries of the cache.

    Args:
        fed: the model.
        folder: of the cache.
        budget: what it may take.
        storage: type in which activations are kept; None keeps them as they are.
        precision: of the forward pass, such as "no" or "bf16".
    """

    def __init__(
        self,
        fed: FedModel,
        folder: Path,
        budget: Budget,
        storage: str | None,
        precision: str,
    ) -> None:
        self._fed = fed
        self._folder, self._budget = folder, budget
        self._storage, self._precision = storage, precision

    def prepare(
        self, served: ServedRows, boundaries: Sequence[Boundary], digest: WeightsDigest
    ) -> int:
        """Make the entries of these boundaries complete, in one pass over the rows.

        Args:
            served: the dataset.
            boundaries: the one that is needed now, then later ones.
            digest: of the weights as they are.

        Returns:
            the number of rows that were computed, in all processes.

        Raises:
            CacheSpaceError: when there is no room for the first of the boundaries.
            NotCacheable: when the rows cannot be kept.
        """
        self._open_all(served, boundaries)
        assert served.rows is not None
        open_everywhere = set.intersection(*of_all(set(served.stores)))
        targets = [
            Target(each.cut, served.stores[each.weights])
            for each in boundaries
            if each.weights in open_everywhere
        ]
        stores = [served.rows.store, *(target.store for target in targets)]
        if all(of_all(all(store.is_complete for store in stores))):
            return 0
        return self._fill(served, targets, stores, digest)

    def _fill(
        self,
        served: ServedRows,
        targets: Sequence[Target],
        stores: Sequence[RowStore],
        digest: WeightsDigest,
    ) -> int:
        assert served.rows is not None
        open_targets = [target for target in targets if not target.store.is_complete]
        base = self._base(served, open_targets, digest)
        rows = served.rows
        share = (int(torch.distributed.get_rank()), world_size()) if world_size() > 1 else (0, 1)
        with ExitStack() as locks:
            agreed(lambda: _lock(locks, stores) if is_first() else None)
            # Another run may have written since: all processes must lack the same chunks.
            agreed(lambda: None if is_first() else _reopen(stores))
            computed = agreed(
                lambda: fill(
                    self._fed.units,
                    served.source,
                    rows,
                    open_targets,
                    self._fed.run,
                    self._fed.place,
                    base=base,
                    share=share,
                    note="frozen layers, once",
                )
            )
            for store in stores:
                store.reload()
        return sum(of_all(computed))

    def _base(
        self, served: ServedRows, targets: Sequence[Target], digest: WeightsDigest
    ) -> Target | None:
        """Return the deepest complete boundary that lies below all that are to be filled."""
        assert served.rows is not None
        if not targets or not served.rows.store.is_complete:
            return None
        lowest = min(len(target.cut.skipped) for target in targets)
        known = [
            Target(boundary.cut, served.stores[key])
            for key, boundary in served.boundaries.items()
            if served.stores[key].is_complete
            and len(boundary.cut.skipped) < lowest
            and digest.of(boundary.cut) == key
        ]
        return max(known, key=lambda target: len(target.cut.skipped), default=None)

    def _open_all(self, served: ServedRows, boundaries: Sequence[Boundary]) -> None:
        """Open the entries; the first process makes those that are new."""
        agreed(lambda: self._open(served, boundaries) if is_first() else None)
        agreed(lambda: None if is_first() else self._open(served, boundaries))

    def _open(self, served: ServedRows, boundaries: Sequence[Boundary]) -> None:
        source = served.source
        if served.rows is None:
            note = {"holds": "labels and other inputs"}
            key = {"data": served.fingerprint, "kind": "inputs"}
            served.rows = StoredRows(source, self._store(served, key, input_specs(source), note))
        for number, boundary in enumerate(boundaries):
            if boundary.weights in served.stores:
                continue
            key, specs, note = self._description(served, boundary)
            try:
                store = self._store(served, key, specs, note)
            except CacheSpaceError as error:
                if not number:
                    self._forget_empty(served.rows.store)
                    served.rows = None
                    raise
                logger.warning("a later boundary is not kept yet: %s", error)
                continue
            served.stores[boundary.weights] = store
            served.boundaries[boundary.weights] = boundary

    def _forget_empty(self, store: RowStore) -> None:
        """Give back the place of an entry that holds nothing yet."""
        if len(store.missing()) == store.chunks:
            with suppress(TransferError):  # another run may be filling it
                delete(self._folder, [store.path.name])

    def is_there(self, served: ServedRows, boundary: Boundary) -> bool:
        """Tell whether the entry of a boundary is complete on disk."""
        source = served.source
        key, specs, note = self._description(served, boundary)
        if not RowStore.is_known(self._folder, key, specs, source.rows, source.lengths()):
            return False
        return self._store(served, key, specs, note).is_complete

    def _description(
        self, served: ServedRows, boundary: Boundary
    ) -> tuple[dict[str, str], list[ArraySpec], dict[str, Any]]:
        cut = boundary.cut
        key = {
            "kind": "activations",
            "data": served.fingerprint,
            "weights": boundary.weights,
            "precision": self._precision,
        }
        specs = [
            array_spec(tap.name, self._kept_as(tap.shape.dtype), tap.shape.kept_row() or ())
            for tap in cut.taps
        ]
        config = getattr(self._fed.model, "config", None)
        name = getattr(config, "_name_or_path", "") or type(self._fed.model).__name__
        # Of a folder its end says most.
        model = "/".join(Path(name).parts[-2:])
        return key, specs, {"holds": f"{model} before {cut.boundary}"}

    def _kept_as(self, dtype: torch.dtype) -> torch.dtype | str:
        return self._storage if self._storage and dtype.is_floating_point else dtype

    def _store(
        self,
        served: ServedRows,
        key: dict[str, str],
        specs: Sequence[ArraySpec],
        note: dict[str, Any],
    ) -> RowStore:
        source = served.source
        return RowStore.open(
            self._folder,
            key,
            specs,
            source.rows,
            source.lengths(),
            budget=self._budget,
            note=note,
        )
