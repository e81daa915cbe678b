"""Lets a Trainer compute the frozen layers once instead of in every epoch."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from accelerate.utils import send_to_device
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hf_transfer_plugin.callbacks.light_dataloaders import as_trainer_reads, install, uninstall
from hf_transfer_plugin.callbacks.phases_ahead import PhaseAhead, phases_ahead
from hf_transfer_plugin.callbacks.prefix_checks import check_storage, why_not
from hf_transfer_plugin.callbacks.prefix_entries import Boundary, PrefixEntries, agreed
from hf_transfer_plugin.callbacks.served_rows import ROWS_KEY, ServedRows, data_state
from hf_transfer_plugin.prefix.budget import Budget
from hf_transfer_plugin.prefix.cache_folder import default_folder
from hf_transfer_plugin.prefix.cut import feeding
from hf_transfer_plugin.prefix.determinism import NotCacheable
from hf_transfer_plugin.prefix.finding import find_cut
from hf_transfer_plugin.prefix.leaf_shapes import BatchSize
from hf_transfer_plugin.prefix.probes import make_probes
from hf_transfer_plugin.prefix.unit_calls import LayerUnits
from hf_transfer_plugin.prefix.weights_digest import WeightsDigest

__all__ = ["PrefixCache", "PrefixUse", "prefix_cache"]

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


def prefix_cache(
    trainer: Trainer,
    *,
    views: int = 1,
    storage: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    budget: str | int | None = None,
) -> PrefixCache:
    """Compute what frozen layers give for each example once, and train on that.

    Whenever the first layers of the model are frozen (by a `FreezingCallback`, by PEFT or by
    hand), their output at the last of them is kept on disk for every example, and only the
    layers above run. Follows a schedule as it thaws layers. Where that would not be exact (random
    augmentation, dropout or batch statistics in frozen layers, a loss that reads the inputs) it
    says why and leaves training as it is. Weights, order of batches and random numbers are those
    of a run without it, up to rounding.

    Args:
        trainer: any Trainer; its callbacks must be in place.
        views: with random augmentation, versions of each example that are kept; epochs take
            turns with them. 1 turns the cache off when the data are random.
        storage: "float16" or "bfloat16" halves the disk space, at the cost of exactness.
        folder: of the cache; `$HF_TL_CACHE`, or a folder beside the caches of Hugging Face.
        budget: what the cache may take on disk, such as "20GB"; 50 GB when not given.

    Returns:
        a handle: `.uses` says what was done, `.remove()` undoes it.

    Raises:
        ConfigError: for a storage type, a number of views or a size that does not exist.

    Example:
        >>> trainer = Trainer(..., callbacks=[FreezingCallback(FreezingSchedule.linear_probe())])
        >>> prefix_cache(trainer)
        >>> trainer.train()
    """
    cache = PrefixCache(
        trainer,
        views,
        check_storage(storage, views),
        Path(folder) if folder is not None else default_folder(),
        Budget.of(budget),
    )
    install(trainer, cache.serve)
    trainer.add_callback(cache)
    return cache


class PrefixCache(TrainerCallback):
    """Follows a Trainer: finds the frozen prefix, fills the cache, feeds the model from it.

    Made by `prefix_cache`.

    Attributes:
        uses: what was done, from which step on.
    """

    def __init__(
        self, trainer: Trainer, views: int, storage: str | None, folder: Path, budget: Budget
    ) -> None:
        self.uses: list[PrefixUse] = []
        self._trainer, self._views, self._storage = trainer, views, storage
        self._folder, self._budget = folder, budget
        self._served: list[ServedRows] = []
        self._training: ServedRows | None = None
        self._model: nn.Module | None = None
        self._units: LayerUnits | None = None
        self._parameters: dict[str, nn.Parameter] = {}
        self._frozen: list[bool] = []
        self._boundaries: list[Boundary] = []
        self._in_training = False
        self._hooks: list[Any] = []
        self._open = ExitStack()

    def serve(self, dataset: Any, for_training: bool) -> ServedRows | None:
        """Return the rows of a dataset; None when they cannot come from a cache."""
        state = data_state(dataset, self._trainer.data_collator)
        served = next((each for each in self._served if each.state == state), None)
        if served is None:
            reason = why_not(self._trainer, for_training)
            if reason:
                self._refuse(reason)
                return None
            seen, collate = as_trainer_reads(self._trainer, dataset)
            try:
                served = ServedRows(
                    len(self._served),
                    state,
                    seen,
                    collate,
                    views=self._views if for_training else 1,
                    seed=self._trainer.args.seed,
                )
            except NotCacheable as error:
                self._refuse(error.reason)
                return None
            self._served.append(served)
        if for_training:
            self._training = served
        else:
            self._serve_evaluation(served)
        return served

    def remove(self) -> None:
        """Leave the Trainer and its model as they were."""
        self._open.close()
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        uninstall(self._trainer)
        self._trainer.remove_callback(self)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look at what is frozen now."""
        self.uses, self._frozen, self._in_training = [], [], True
        self._attach()
        self._follow(args, state)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take the next view of each example."""
        served = self._training
        if served is not None and served.source.views > 1:
            batches = len(kwargs["train_dataloader"])
            per_epoch = math.ceil(batches / args.gradient_accumulation_steps)
            served.set_epoch(state.global_step // per_epoch)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look again when other layers train."""
        self._follow(args, state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Trust nothing that was found while weights were frozen."""
        self._in_training = False

    def _attach(self) -> None:
        """Listen to the model that trains."""
        model = self._trainer.model
        if model is self._model or not isinstance(model, nn.Module):
            return
        for hook in self._hooks:
            hook.remove()
        self._model, self._units = model, LayerUnits(model)
        self._parameters = dict(model.named_parameters())

        # Functions, for a copy of the model copies bound methods with all that they belong to.
        def before(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
            return self._before_forward(module, args, kwargs)

        def after(module: nn.Module, args: Any, result: Any) -> None:
            self._open.close()

        self._hooks = [
            model.register_forward_pre_hook(before, prepend=True, with_kwargs=True),
            model.register_forward_hook(after, always_call=True),
        ]

    def _before_forward(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        if ROWS_KEY not in kwargs:
            return None
        numbers = kwargs.pop(ROWS_KEY).cpu().numpy()
        served, rows = self._served[int(numbers[0, 0])], numbers[:, 1]
        device = self._trainer.args.device
        store = served.stores.get(self._boundaries[0].weights) if self._boundaries else None
        if module is not self._model or store is None or not served.is_on:
            batch = send_to_device(served.source.batch(rows), device)
            return args, {**kwargs, **{name: batch[name] for name in kwargs if name in batch}}
        assert self._units is not None and served.rows is not None
        cut = self._boundaries[0].cut
        values = served.rows.values(cut, store, rows, device)
        size = BatchSize(len(rows), served.rows.batch_length(rows))
        self._open.enter_context(feeding(self._units, cut, values, size, device))
        return args, kwargs

    def _follow(self, args: TrainingArguments, state: TrainerState) -> None:
        """Find the boundary when other layers train than before, and fill the cache for it."""
        trains = [parameter.requires_grad for parameter in self._parameters.values()]
        if trains == self._frozen:
            return
        self._frozen = trains
        served, start = self._training, time.perf_counter()
        if served is None:
            return
        self._boundaries = []
        for each in self._served:
            each.switch(False)
        try:
            rows = self._prepare(served, args, state)
        except NotCacheable as error:
            self._refuse(error.reason, state.global_step)
            return
        boundary = self._boundaries[0]
        served.switch(True)
        seconds = time.perf_counter() - start
        size = served.stores[boundary.weights].bytes
        use = PrefixUse(state.global_step, boundary.cut.boundary, "", rows, seconds, size)
        self.uses.append(use)
        logger.info(
            "from step %d the model runs from %s on; %d rows computed in %.1f s, %.1f MB on disk",
            *(use.step, use.before, use.rows, use.seconds, use.bytes / 1e6),
        )

    def _prepare(self, served: ServedRows, args: TrainingArguments, state: TrainerState) -> int:
        """Find the boundaries of this phase and of later ones; return the rows computed for them.

        Raises:
            NotCacheable: when this phase has none, or filling it would cost more than it saves.
        """
        units = self._units
        assert units is not None
        now = frozenset(
            group.name
            for group in units.groups
            if any(self._parameters[name].requires_grad for name in group.parameter_names)
        )
        callbacks = self._trainer.callback_handler.callbacks
        ahead = phases_ahead(callbacks, units.groups, now, state.global_step, state.max_steps)
        agreed(served.check)
        digest = WeightsDigest(units)
        boundaries = self._find(units, served, ahead, digest)
        entries = self._entries(units)
        examples = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        passes = sum(ahead[n].steps for _, phases in boundaries for n in phases) * examples
        if passes < _WORTH * served.source.rows and not entries.is_there(served, boundaries[0][0]):
            raise NotCacheable(
                f"{passes:,} rows are read while they are frozen, of {served.source.rows:,}: "
                "keeping them would cost more than it saves"
            )
        # All in one pass: a boundary more costs disk space alone.
        wanted = [boundary for boundary, _ in boundaries]
        rows = entries.prepare(served, wanted, digest)
        self._boundaries = wanted
        return rows

    def _find(
        self,
        units: LayerUnits,
        served: ServedRows,
        ahead: Sequence[PhaseAhead],
        digest: WeightsDigest,
    ) -> list[tuple[Boundary, list[int]]]:
        """Return the boundaries that the frozen weights of now will serve, and in which phases."""
        probes = make_probes(served.source, self._place)
        found: dict[str, tuple[Boundary, list[int]]] = {}
        trained_before: set[str] = set()
        for number, phase in enumerate(ahead):
            search = partial(
                find_cut, units, phase.trained, probes, self._run, gradients=number == 0
            )
            try:
                cut = agreed(search)
            except NotCacheable:
                if number == 0:
                    raise
            else:
                groups = {units.group_of[path] for path in cut.paths}
                if not groups & trained_before:
                    boundary = Boundary(cut, digest.of(cut))
                    found.setdefault(boundary.weights, (boundary, []))[1].append(number)
            trained_before |= phase.trained
        return list(found.values())

    def _serve_evaluation(self, served: ServedRows) -> None:
        """Fill the cache for a dataset of evaluation, when a boundary is known."""
        served.switch(False)
        if not self._boundaries or self._units is None:
            return
        digest = WeightsDigest(self._units)
        first = self._boundaries[0]
        if not self._in_training and digest.of(first.cut) != first.weights:
            return
        try:
            agreed(served.check)
            training = self._training
            if training is not None and not served.is_like(training):
                raise NotCacheable("its rows have other fields than those of the training set")
            self._entries(self._units).prepare(served, self._boundaries, digest)
        except NotCacheable as error:
            self._refuse(f"evaluation: {error.reason}")
            return
        served.switch(True)

    def _entries(self, units: LayerUnits) -> PrefixEntries:
        return PrefixEntries(
            units,
            self._run,
            self._place,
            self._folder,
            self._budget,
            self._storage,
            str(self._trainer.accelerator.mixed_precision),
        )

    def _run(self, batch: Any) -> Any:
        assert self._model is not None
        return self._model(**batch)

    def _place(self, batch: Any) -> Any:
        return send_to_device(batch, self._trainer.args.device)

    def _refuse(self, reason: str, step: int = 0) -> None:
        known = {use.reason for use in self.uses}
        self.uses.append(PrefixUse(step, "", reason))
        if reason not in known:
            logger.warning("the frozen layers are computed in every epoch: %s", reason)
