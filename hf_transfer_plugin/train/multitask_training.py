"""One multitask plan, one seed: one Trainer for all tasks, and a result for each."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PrinterCallback, Trainer, set_seed

from hf_transfer_plugin.adapt.adapters import merge_adapter
from hf_transfer_plugin.adapt.multitask import (
    TaskMetrics,
    TaskRows,
    TrainingRows,
    build_multitask,
    plain_model,
    state_of,
    with_tasks,
)
from hf_transfer_plugin.adapt.schedules import FreezingSchedule
from hf_transfer_plugin.callbacks.freezing import FreezingCallback
from hf_transfer_plugin.callbacks.multitask import MultitaskCallback
from hf_transfer_plugin.callbacks.progress import ProgressBarCallback
from hf_transfer_plugin.checkpoints import Checkpoint, without_bars
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.metrics import METRICS
from hf_transfer_plugin.multitask_records import MultitaskPlan
from hf_transfer_plugin.processes import of_first, wait_for_all
from hf_transfer_plugin.records import SeedResult, Transition
from hf_transfer_plugin.terminal import progress
from hf_transfer_plugin.train.adapting import adapted, adapter_callbacks, optimizer_of
from hf_transfer_plugin.train.answers import Answers
from hf_transfer_plugin.train.arguments import training_arguments
from hf_transfer_plugin.train.preparing import prepare
from hf_transfer_plugin.train.reached import curve_of
from hf_transfer_plugin.train.tracking import place_logs, release_reporters, training_name

__all__ = ["Joint", "TrainedTasks", "prepare_tasks", "train_tasks"]


@dataclass(frozen=True)
class Joint:
    """What all seeds of a multitask plan share.

    Attributes:
        checkpoint: that is loaded.
        data: task -> checked data.
        prepared: task -> the data in the form that the checkpoint reads.
    """

    checkpoint: Checkpoint
    data: Mapping[str, TargetData]
    prepared: Mapping[str, Prepared]

    def rows(self, role: str) -> dict[str, Any]:
        """Return task -> rows of a split."""
        return {name: each.splits[role] for name, each in self.prepared.items()}


@dataclass(frozen=True)
class TrainedTasks:
    """A network that was trained on all tasks, and what each reached.

    Attributes:
        results: task -> metrics, curve and predictions.
        mean: of the tasks' judged metric on validation.
        conflicts: pair of tasks -> share of passes in conflict; empty without PCGrad.
        save: writes model and processor of a task into a folder.

    The others are those of `RunResult`.
    """

    results: Mapping[str, SeedResult]
    mean: float
    conflicts: Mapping[str, float]
    trainable_parameters: int
    parameters: int
    groups: tuple[str, ...]
    transitions: tuple[Transition, ...]
    model_type: str
    save: Callable[[str, Path], None]


def prepare_tasks(plan: MultitaskPlan, data: Mapping[str, TargetData]) -> Joint:
    """Find the checkpoint and bring the data of all tasks into the form that it reads."""
    found = {name: prepare(plan.of_task(name), data[name]) for name in plan.tasks}
    checkpoint = next(iter(found.values()))[0]
    return Joint(checkpoint, data, {name: each for name, (_, each) in found.items()})


def train_tasks(
    plan: MultitaskPlan,
    seed: int,
    learning_rate: float | None,
    joint: Joint,
    logs: Path | None = None,
) -> TrainedTasks:
    """Train all tasks with one seed; it decides heads, order and dropout, never the splits.

    Args:
        plan: what to train.
        seed: seed of this run.
        learning_rate: peak rate; None takes the plan's own.
        joint: checkpoint and data.
        logs: takes what TensorBoard writes.
    """
    start = time.perf_counter()
    names = list(plan.tasks)
    # What all tasks have in common is read from the plan of the first one.
    common = replace(plan.of_task(names[0]), training=plan.joint_training())
    first = joint.prepared[names[0]]
    set_seed(seed)
    network = build_multitask(
        joint.checkpoint,
        plan.task,
        {name: each.class_names for name, each in joint.data.items()},
        pcgrad=plan.way.pcgrad,
        seed=seed,
        image_size=common.data.image_size,
        pad_token_id=getattr(first.processor, "pad_token_id", None),
    )
    model = adapted(common, network)
    state = state_of(model)
    freezing = FreezingCallback(FreezingSchedule(plan.schedule))
    multitask = MultitaskCallback()
    with _scratch() as scratch:
        args = training_arguments(common, seed, learning_rate, scratch)
        trainer = Trainer(
            model=model,
            args=args,
            train_dataset=TrainingRows(joint.rows("train"), plan.way, seed),
            eval_dataset=TaskRows(joint.rows("validation")),
            data_collator=with_tasks(first.collate),
            compute_metrics=TaskMetrics(model),
            callbacks=[freezing, multitask, *adapter_callbacks(common)],
            optimizer_cls_and_kwargs=optimizer_of(common, args),
        )
        trainer.remove_callback(PrinterCallback)
        way = replace(common, name=plan.way.name)
        place_logs(trainer, logs, training_name(way, seed, learning_rate))
        with progress(f"{plan.way.name}, seed {seed}") as move:
            trainer.add_callback(ProgressBarCallback(move, f"mean_{plan.metric}"))
            trainer.train()
        release_reporters(trainer)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if plan.adapter is not None:
        model.merge_adapter()
    history = trainer.state.log_history
    reached = trainer.evaluate(metric_key_prefix="final")
    output = trainer.predict(TaskRows(joint.rows("test"), "test"), metric_key_prefix="test")
    labels, tasks = (np.asarray(each) for each in output.label_ids or ())
    results = {}
    for number, (name, classes) in enumerate(zip(names, state.classes, strict=True)):
        own = tasks == number
        tested = Answers.of(np.asarray(output.predictions)[own][:, :classes], labels[own])
        results[name] = SeedResult(
            seed=seed,
            learning_rate=float(args.learning_rate),
            steps=trainer.state.global_step,
            test=tested.metrics,
            validation={each: float(reached[f"final_{name}_{each}"]) for each in METRICS},
            curve=curve_of(common, [_of_task(name, entry) for entry in history]),
            predictions=tested.predictions,
            confidences=tested.confidences,
            wall_seconds=time.perf_counter() - start,
        )

    def save(task: str, folder: Path) -> None:
        whole = deepcopy(model)
        plain = plain_model(whole if plan.adapter is None else merge_adapter(whole), task)
        with without_bars():
            plain.save_pretrained(folder)
        joint.prepared[task].processor.save_pretrained(folder)

    return TrainedTasks(
        results=results,
        mean=float(reached[f"final_mean_{plan.metric}"]),
        conflicts=multitask.conflicts,
        trainable_parameters=freezing.trainable_parameters,
        parameters=parameters,
        groups=freezing.group_names,
        transitions=tuple(freezing.transitions),
        model_type=network.config.model_type,
        save=save,
    )


def _of_task(name: str, entry: Mapping[str, float]) -> dict[str, float]:
    """Return a log entry as the Trainer of this task alone would have written it."""
    found = {key: value for key, value in entry.items() if not key.startswith("eval_")}
    if "loss" in found:
        found["loss"] = entry.get(f"loss/{name}", float("nan"))
    start = f"eval_{name}_"
    measured = {f"{start}{each}" for each in (*METRICS, "loss")}
    return found | {f"eval_{k.removeprefix(start)}": entry[k] for k in measured & entry.keys()}


@contextmanager
def _scratch() -> Iterator[str]:
    """Give every process the folder of the first one, where all look for the best checkpoint."""
    with tempfile.TemporaryDirectory(prefix="hf-tl-") as own:
        yield of_first(own)
        wait_for_all()
