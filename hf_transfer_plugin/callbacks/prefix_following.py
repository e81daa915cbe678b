"""Follows a Trainer: finds the frozen prefix, fills the cache and feeds the model from it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.callbacks.augmentation import epoch_number
from hf_transfer_plugin.callbacks.fed_model import FedModel
from hf_transfer_plugin.callbacks.light_dataloaders import uninstall
from hf_transfer_plugin.callbacks.phases_ahead import phases_ahead
from hf_transfer_plugin.callbacks.prefix_entries import PrefixEntries, agreed
from hf_transfer_plugin.callbacks.prefix_search import find_boundaries
from hf_transfer_plugin.callbacks.served_datasets import ServedDatasets
from hf_transfer_plugin.callbacks.served_rows import Boundary, ServedRows
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.weights_digest import WeightsDigest
from hf_transfer_plugin.processes import of_all

__all__ = ["PrefixCache", "PrefixUse"]

logger = logging.getLogger(__name__)
# A fill costs about one epoch of the frozen layers.
_WORTH = 1.2


@dataclass(frozen=True)
class PrefixUse:
    """What the cache did from one optimizer step on.

    Attributes:
        step: optimizer steps made before.
        before: the first module that runs; "" when nothing is skipped.
        reason: why nothing is skipped.
        rows: rows of the training set that were computed for it, in all processes.
        seconds: that this took, checks included.
        bytes: of the activations on disk, for this boundary.
    """

    step: int
    before: str
    reason: str = ""
    rows: int = 0
    seconds: float = 0.0
    bytes: int = 0


class _NoGain(NotCacheable):
    """Nothing is wrong: there is nothing to save."""


class PrefixCache(TrainerCallback):
    """What `prefix_cache` returns: its handle on a Trainer.

    Attributes:
        uses: what was done, from which step on.
    """

    def __init__(
        self, trainer: Trainer, views: int, storage: str | None, folder: Path, budget: Budget
    ) -> None:
        self.uses: list[PrefixUse] = []
        self._trainer, self._served = trainer, ServedDatasets(trainer, views)
        self._storage, self._folder, self._budget = storage, folder, budget
        self._training: ServedRows | None = None
        self._fed: FedModel | None = None
        self._trainable: list[bool] = []
        self._boundaries: list[Boundary] = []
        self._versions: list[tuple[int, int]] = []
        self._in_training = False

    def serve(self, dataset: Any, for_training: bool) -> ServedRows | None:
        """Return the rows of a dataset; None when they cannot come from a cache."""
        if for_training:
            self._training = None
        # Within a run nobody pays for another look at all rows.
        running = self._in_training and not for_training
        try:
            served = self._served.rows_of(dataset, for_training, trust=running)
        except NotCacheable as error:
            self._refuse(error)
            return None
        if for_training:
            self._training = served
        else:
            self._serve_evaluation(served)
        return served

    def remove(self) -> None:
        """Leave the Trainer and its model as they were."""
        if self._fed is not None:
            self._fed.remove()
        uninstall(self._trainer)
        self._trainer.remove_callback(self)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at what is frozen now."""
        # Why nothing can be kept may have been found when the dataloader was built.
        self.uses = self.uses[-1:] if self._training is None else []
        self._trainable, self._in_training = [], True
        self._attach()
        self._follow(args, state)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the next view of each example."""
        served = self._training
        if served is not None:
            served.set_epoch(epoch_number(args, state, kwargs["train_dataloader"]))

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look again when other layers train."""
        self._follow(args, state)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look again when another callback has put other weights into frozen layers."""
        if self._in_training and self._boundaries and self._fed is not None:
            if self._fed.versions(self._boundaries[0].cut) != self._versions:
                self._trainable = []

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Trust nothing that was found while weights were frozen."""
        self._in_training = False

    def _attach(self) -> None:
        """Listen to the model that trains."""
        model = self._trainer.model
        if not isinstance(model, nn.Module):
            return
        if self._fed is not None:
            if self._fed.model is model:
                return
            self._fed.remove()
        self._fed = FedModel(
            model,
            self._trainer.args.device,
            self._served.__getitem__,
            lambda: self._boundaries[0] if self._boundaries else None,
        )

    def _follow(self, args: TrainingArguments, state: TrainerState) -> None:
        """Find the boundary when other layers train than before, and fill the cache for it."""
        if self._fed is None or self._training is None:
            return
        trainable = self._fed.trainable()
        if trainable == self._trainable:
            return
        self._trainable, self._boundaries = trainable, []
        for each in self._served:
            each.switch(False)
        start = time.perf_counter()
        try:
            rows = self._prepare(self._fed, self._training, args, state)
        except NotCacheable as error:
            self._refuse(error, state.global_step)
            return
        self._training.switch(True)
        boundary = self._boundaries[0]
        use = PrefixUse(
            state.global_step,
            boundary.cut.boundary,
            "",
            rows,
            time.perf_counter() - start,
            self._training.stores[boundary.weights].bytes,
        )
        self.uses.append(use)
        logger.info(
            "from step %d the model runs from %s on; %d rows computed in %.1f s, %.1f MB on disk",
            *(use.step, use.before, use.rows, use.seconds, use.bytes / 1e6),
        )

    def _prepare(
        self, fed: FedModel, served: ServedRows, args: TrainingArguments, state: TrainerState
    ) -> int:
        """Find the boundaries of this phase and of later ones; return the rows computed for them.

        Raises:
            NotCacheable: when this phase has none, or filling it would cost more than it saves.
        """
        groups, trained = fed.units.groups, fed.trained_groups()
        if groups[0].name in trained:
            raise _NoGain(f"{groups[0].name} trains, the layer group nearest to the input")
        callbacks = self._trainer.callback_handler.callbacks
        ahead = phases_ahead(callbacks, groups, trained, state.global_step, state.max_steps)
        agreed(served.check)
        digest = WeightsDigest(fed.units)
        boundaries, steps = find_boundaries(fed, served.source, ahead, digest)
        entries = self._entries(fed)
        read = steps * args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        read *= served.rows_per_example
        few = read < _WORTH * served.source.rows
        if few and not all(of_all(agreed(lambda: entries.is_there(served, boundaries[0])))):
            raise _NoGain(
                f"{read:,} rows are read while the layers are frozen, of {served.source.rows:,}: "
                "keeping them would cost more than it saves"
            )
        # All in one pass: a boundary more costs disk space alone.
        rows = entries.prepare(served, boundaries, digest)
        self._boundaries, self._versions = boundaries, fed.versions(boundaries[0].cut)
        return rows

    def _serve_evaluation(self, served: ServedRows) -> None:
        """Fill the cache for a dataset of evaluation, when a boundary is known."""
        served.switch(False)
        if not self._boundaries or self._fed is None:
            return
        digest = WeightsDigest(self._fed.units)
        first = self._boundaries[0]
        # While layers are frozen their weights rest; the digest sees every other change as well.
        rest = self._fed.versions(first.cut) == self._versions
        if not (rest if self._in_training else digest.of(first.cut) == first.weights):
            return
        try:
            agreed(served.check)
            if self._training is not None and not served.is_like(self._training):
                raise NotCacheable("its rows have other fields than those of the training set")
            self._entries(self._fed).prepare(served, self._boundaries, digest)
        except NotCacheable as error:
            self._refuse(NotCacheable(f"evaluation: {error.reason}"))
            return
        served.switch(True)

    def _entries(self, fed: FedModel) -> PrefixEntries:
        precision = str(self._trainer.accelerator.mixed_precision)
        return PrefixEntries(fed, self._folder, self._budget, self._storage, precision)

    def _refuse(self, error: NotCacheable, step: int = 0) -> None:
        known = {use.reason for use in self.uses}
        self.uses.append(PrefixUse(step, "", error.reason))
        if error.reason not in known:
            level = logging.INFO if isinstance(error, _NoGain) else logging.WARNING
            logger.log(level, "the frozen layers are computed in every epoch: %s", error.reason)
