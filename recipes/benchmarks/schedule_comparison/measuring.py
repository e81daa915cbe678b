"""One run, in a process of its own: nothing that another tool left behind is measured."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from measured.process import peak_mib, write_output_to

from schedule_comparison.runs import Run

__all__ = ["build_job", "make_inputs_in_child", "measure_in_child"]

# Tool -> (module, function, distributions whose versions are kept with the result).
_MEASURES = {
    "trainer": ("with_trainer", "train_alone", ("transformers",)),
    "plugin": ("with_trainer", "train_with_plugin", ("hf-transfer-plugin", "transformers")),
    "plugin-moving": ("with_trainer", "train_moving", ("hf-transfer-plugin", "transformers")),
    "finetuning-scheduler": (
        "with_lightning",
        "train_with_finetuning_scheduler",
        ("finetuning-scheduler", "lightning"),
    ),
    "fastai": ("with_fastai", "train_with_fastai", ("fastai",)),
    "overhead": ("overhead", "compare_step_times", ("hf-transfer-plugin", "transformers")),
}


def make_inputs_in_child(run: Run, data: Path, folder: Path, log: Path, answer: Connection) -> None:
    """Prepare the tensors that all runs on a data set read."""
    write_output_to(log)
    from schedule_comparison.inputs import make_inputs

    make_inputs(run, data, folder)
    answer.send(True)


def measure_in_child(run: Run, inputs: Path, log: Path, answer: Connection) -> None:
    """Train and measure.

    Args:
        run: what to train.
        inputs: folder of the prepared tensors.
        log: file that gets all that the tool prints.
        answer: receives the result, and nothing when this fails.
    """
    write_output_to(log)
    module, function, distributions = _MEASURES[run.tool]
    measure = getattr(import_module(f"schedule_comparison.{module}"), function)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        job = build_job(run, inputs, scratch)
        result = measure(job) if run.tool == "overhead" else _train(job, measure, inputs)
    result["versions"] = {name: version(name) for name in ("torch", *distributions)}
    answer.send(result)


def build_job(run: Run, inputs: Path, scratch: str) -> Any:
    """Return what the tool of a run is to train; the seed decides the head."""
    import torch
    from transformers import set_seed

    from hf_transfer_plugin.checkpoints import Checkpoint
    from hf_transfer_plugin.layers import layer_groups
    from schedule_comparison.inputs import IMAGE_SIZE, class_names, collator, read_rows
    from schedule_comparison.job import Job
    from schedule_comparison.runs import DATASETS
    from schedule_comparison.schedule import freezing_schedule, thaws

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    dataset = DATASETS[run.dataset]
    images = dataset.task == "image-classification"
    train = read_rows(inputs, "train")
    set_seed(run.seed)
    model: Any = Checkpoint(dataset.checkpoint).classifier(
        dataset.task, class_names(inputs), image_size=IMAGE_SIZE if images else None
    )
    if images:
        model.to(memory_format=torch.channels_last)
    if not run.dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    epoch_steps = -(-len(train) // run.batch_size)
    schedule = freezing_schedule(run.method, model, run.epochs, epoch_steps)
    return Job(
        run=run,
        model=model,
        train=train,
        collate=collator(run),
        schedule=schedule,
        thaws=thaws(schedule, model, run.epochs, epoch_steps),
        parameters={group.name: group.parameter_names for group in layer_groups(model)},
        scratch=scratch,
    )


def _train(job: Any, train: Any, inputs: Path) -> dict[str, Any]:
    from schedule_comparison.watching import TrainingWatch

    before = peak_mib()
    epoch_steps = -(-len(job.train) // job.run.batch_size)
    watch = TrainingWatch(job.model, job.thaws, job.run.epochs * epoch_steps)
    train(job)
    result = watch.finish()
    return {"accuracy": _accuracy(job, inputs), "peak_before_mib": before, **result}


def _accuracy(job: Any, inputs: Path) -> float:
    import torch
    from torch.utils.data import DataLoader

    from schedule_comparison.inputs import read_rows

    rows = read_rows(inputs, job.run.split)
    # Texts of like length share a batch; images keep their order.
    lengths = [len(ids) for ids in rows.columns.get("input_ids", [[]] * len(rows))]
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    job.model.eval()
    right = 0
    with torch.inference_mode():
        for batch in DataLoader(rows, batch_size=64, sampler=order, collate_fn=job.collate):
            labels = batch.pop("labels")
            right += int((job.model(**batch).logits.argmax(-1) == labels).sum())
    return right / len(rows)
