"""One plan, one seed, through a `Trainer`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PrinterCallback, Trainer, set_seed

from hf_transfer_plugin.adapt.average_checks import check_average
from hf_transfer_plugin.adapt.batch_norm import adapt_batch_norm, norms_to_adapt
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.last_phase_start import LastPhaseStart
from hf_transfer_plugin.callbacks.objective import ObjectiveCallback
from hf_transfer_plugin.callbacks.prefix_caching import prefix_cache
from hf_transfer_plugin.callbacks.progress import ProgressBarCallback
from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.data import DomainPairsCollator, Prepared, TargetData
from hf_transfer_plugin.processes import of_first, wait_for_all
from hf_transfer_plugin.records import Drift, Plan, SeedResult, Transition
from hf_transfer_plugin.source_weight_records import WeighedSource
from hf_transfer_plugin.terminal import progress
from hf_transfer_plugin.train.adapting import (
    adapted,
    adapter_bytes,
    adapter_callbacks,
    merge,
    optimizer_of,
    save_weights,
)
from hf_transfer_plugin.train.against import Against
from hf_transfer_plugin.train.arguments import training_arguments
from hf_transfer_plugin.train.averaging import (
    Fitted,
    choose_weights,
    moving_average,
    soup_members,
)
from hf_transfer_plugin.train.drift import measure_drift
from hf_transfer_plugin.train.first_token import plan_first_token
from hf_transfer_plugin.train.label_free_choice import KeepChosen
from hf_transfer_plugin.train.metering import Meter, MeterCallback
from hf_transfer_plugin.train.reached import (
    curve_of,
    measured,
    metrics_of,
    plain_metrics,
    seed_result,
)
from hf_transfer_plugin.train.source_weighting import weighed_source
from hf_transfer_plugin.train.tracking import place_logs, release_reporters, training_name
from hf_transfer_plugin.train.training_rows import training_rows
from hf_transfer_plugin.train.watching import watching

__all__ = ["Trained", "train_once"]


@dataclass(frozen=True)
class Trained:
    """A trained model and what it reached.

    Attributes:
        result: metrics, curve and predictions.
        trainable_parameters: weights that train in the last phase.
        parameters: all weights.
        groups: layer groups that can train, input to head.
        transitions: when which of them trained.
        save: writes model and processor into a folder.
        drift: compares the model with its checkpoint; None for random weights.
        save_start: the same with the weights of the first step of the last phase, if kept.
        adapter_bytes: size of adapter and head; 0 without adapter.
        model_type: architecture, as the configuration names it.
        weighed: what weights of source rows left in effect.
    """

    result: SeedResult
    trainable_parameters: int
    parameters: int
    groups: tuple[str, ...]
    transitions: tuple[Transition, ...]
    save: Callable[[Path], None]
    drift: Callable[[], Drift | None]
    save_start: Callable[[Path], None] | None = None
    adapter_bytes: int = 0
    model_type: str = ""
    weighed: WeighedSource | None = None


def train_once(
    plan: Plan,
    seed: int,
    learning_rate: float | None,
    data: TargetData,
    checkpoint: Checkpoint,
    prepared: Prepared,
    keep_start: bool = False,
    against: Against | None = None,
    logs: Path | None = None,
) -> Trained:
    """Train with one seed; the seed decides head, order and dropout, never the split.

    Args:
        plan: what to train.
        seed: seed of this run.
        learning_rate: peak rate; None takes the plan's own.
        data: checked data.
        checkpoint: the checkpoint of the plan.
        prepared: the data in the form the checkpoint reads; without "test" nothing is tested.
        keep_start: keep the weights with which the last phase begins, too.
        against: what the watch holds the run against.
        logs: takes what TensorBoard writes.
    """
    start = time.perf_counter()
    setting = _Setting(plan, data, checkpoint, prepared, Meter(), logs)
    needs_start = plan.average is not None and plan.average.kind.needs_start
    fitted = _fit(plan, seed, learning_rate, setting, keep_start or needs_start, against)
    trainer = fitted.trainer
    model: Any = fitted.model
    curve = curve_of(plan, trainer.state.log_history)
    validation, weights = fitted.validation, None
    if plan.average is not None:
        members = partial(_members, plan, seed, trainer.args.learning_rate, setting)
        validation, weights = choose_weights(plan, fitted, members)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    size = adapter_bytes(plan, model)
    merge(plan, model)
    if plan.adapt_batch_norm:
        fitted.close()
        adapt_batch_norm(model, prepared.splits["unlabelled"], prepared.collate)
        validation = measured(trainer, prepared)
    kept = fitted.kept_step
    result = seed_result(
        plan, seed, trainer, prepared, validation, curve, fitted.alarms, weights, kept, start
    )
    result = replace(result, cost=setting.meter.cost())
    fitted.close()
    fitted.restore()

    def save(folder: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
        model.to(memory_format=torch.contiguous_format)
        with without_bars():
            save_weights(plan, model, folder, weights)
        prepared.processor.save_pretrained(folder)

    return Trained(
        result=result,
        trainable_parameters=fitted.freezing.trainable_parameters,
        parameters=parameters,
        groups=fitted.freezing.group_names,
        transitions=tuple(fitted.freezing.transitions),
        save=save,
        drift=partial(measure_drift, plan, trainer.args, model, setting.network, prepared),
        save_start=partial(save, weights=fitted.start) if keep_start else None,
        adapter_bytes=size,
        model_type=model.config.model_type,
        weighed=weighed_source(data, prepared),
    )


@dataclass(frozen=True)
class _Setting:
    """What all trainings of a plan have in common."""

    plan: Plan
    data: TargetData
    checkpoint: Checkpoint
    prepared: Prepared
    meter: Meter
    logs: Path | None

    def network(self) -> PreTrainedModel:
        """Return the checkpoint with a head for the classes, drawn with the seed that is set."""
        return self.checkpoint.classifier(
            self.plan.task,
            self.data.class_names,
            weights=self.plan.weights,
            image_size=self.plan.data.image_size,
            pad_token_id=getattr(self.prepared.processor, "pad_token_id", None),
        )


def _fit(
    plan: Plan,
    seed: int,
    learning_rate: float | None,
    setting: _Setting,
    keep_start: bool = False,
    against: Against | None = None,
    order: int | None = None,
) -> Fitted:
    """Train a model; `order` decides rows and dropout in place of the seed, never the head."""
    prepared = setting.prepared
    set_seed(seed)
    model = setting.network()
    reads_weights = plan.adapter is not None and plan.adapter.kind.reads_weights
    if plan.task == "image-classification" and not reads_weights:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-arg]
    model = adapted(plan, model)
    check_average(plan.average, plan.adapter, plan.schedule, model)
    if plan.adapt_batch_norm:
        norms_to_adapt(model)
    freezing = FreezingCallback(FreezingSchedule(plan.schedule))
    last_phase = LastPhaseStart(model, freezing) if keep_start else None
    moving = moving_average(plan)
    chosen = KeepChosen() if plan.choose_by else None
    with _scratch() as scratch:
        of_rows = seed if order is None else order
        args = training_arguments(plan, of_rows, learning_rate, scratch)
        narrowed, undo = ExitStack(), ExitStack()
        narrowed.enter_context(plan_first_token(plan, model, prepared, args))
        rows, of_epochs = training_rows(plan, prepared, of_rows)
        watch = watching(plan, args, against or Against())
        trainer = Trainer(
            model=model,
            args=args,
            train_dataset=rows,
            eval_dataset=prepared.splits[plan.choosing_split],
            data_collator=DomainPairsCollator(prepared.collate)
            if plan.pairs_domains
            else prepared.collate,
            compute_metrics=metrics_of(plan),
            callbacks=[
                freezing,
                *of_epochs,
                MeterCallback(setting.meter),
                *watch,
                *([last_phase] if last_phase else []),
                *([moving] if moving else []),
                *([chosen] if chosen else []),
                *adapter_callbacks(plan),
                *([ObjectiveCallback(plan.objective)] if plan.objective else []),
            ],
            optimizer_cls_and_kwargs=optimizer_of(plan, args),
        )
        trainer.remove_callback(PrinterCallback)
        place_logs(trainer, setting.logs, training_name(plan, seed, learning_rate, order))
        if plan.prefix_cache:
            undo.callback(prefix_cache(trainer).remove)
        with progress(_headline(plan, seed, learning_rate), plan.name) as move:
            trainer.add_callback(ProgressBarCallback(move, plan.metric))
            trainer.train()
        release_reporters(trainer)
    if chosen is not None:
        if len(plan.schedule) > 1:
            undo.close()  # an earlier evaluation may have had other frozen layers
        chosen.put_back(model)
    alarms = tuple(alarm for each in watch for alarm in each.alarms)
    return Fitted(
        model=model,
        trainer=trainer,
        prepared=prepared,
        freezing=freezing,
        alarms=alarms,
        validation=plain_metrics(trainer, prepared, alarms, chosen.metrics if chosen else None),
        kept_step=chosen.step if chosen else None,
        start=last_phase.weights if last_phase else {},
        moving=moving.weights if moving else {},
        close=undo.close,
        restore=narrowed.close,
    )


def _headline(plan: Plan, seed: int, rate: float | None) -> str:
    tried = f", rate {rate:g}" if plan.learning_rates and rate is not None else ""
    place = f" ({plan.seeds.index(seed) + 1} of {len(plan.seeds)})" if seed in plan.seeds else ""
    return f"{plan.name}, seed {seed}{place}{tried}"


def _members(
    plan: Plan, seed: int, learning_rate: float, setting: _Setting
) -> Iterator[tuple[dict[str, torch.Tensor], float]]:
    """Train the further members of a soup; yields weights, and the judged metric on validation."""
    # One that goes wrong is left out of the soup, so nobody watches it.
    alone = replace(plan, average=None, watch="off")
    for order, factor in soup_members(plan, seed):
        fitted = _fit(alone, seed, learning_rate * factor, setting, order=order)
        fitted.close()
        yield fitted.weights(), fitted.validation[plan.chosen_by]


@contextmanager
def _scratch() -> Iterator[str]:
    """Give every process the folder of the first one, where all look for the best checkpoint."""
    with tempfile.TemporaryDirectory(prefix="hf-tl-") as own:
        yield of_first(own)
        wait_for_all()
