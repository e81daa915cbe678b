"""What every arm is given: the data, a fresh model, and a Job as the comparison of tools has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from schedule_comparison.inputs import MAX_LENGTH
from schedule_comparison.job import Job
from schedule_comparison.runs import Run
from schedule_comparison.schedule import thaws
from transformers import set_seed

from hf_transfer_plugin import FreezingSchedule, Phase, load_data
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import prepare
from hf_transfer_plugin.data.loading import TargetData
from hf_transfer_plugin.data.preprocessing import Prepared
from hf_transfer_plugin.layers import layer_groups
from hf_transfer_plugin.records import DataSpec
from prefix_comparison.phases import HEAD_ALONE
from prefix_comparison.plan import DATASETS, TOP_EPOCHS
from prefix_comparison.settings import Settings

__all__ = ["Bench", "read_bench"]

#: Task -> (layer groups of the top layer, of the one below); the head trains all the time.
_TOP = {
    "text-classification": (("neck", "layer.5"), ("layer.4",)),
    "image-classification": (("neck", "blocks.6.*"), ("blocks.5.*",)),
}


@dataclass(frozen=True)
class Bench:
    """One run and what it reads.

    Attributes:
        scratch: a folder that ends with the run.
    """

    run: Run
    settings: Settings
    loaded: TargetData
    prepared: Prepared
    scratch: Path

    @property
    def images(self) -> bool:
        """Tell whether the inputs are images."""
        return self.loaded.task == "image-classification"

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the pretrained checkpoint."""
        return Checkpoint(DATASETS[self.run.dataset].checkpoint)

    @property
    def train(self) -> Any:
        """Return the training rows: token ids, or images that are decoded as they are read."""
        return self.prepared.splits["train"]

    @property
    def test(self) -> Any:
        """Return the test rows, no more of them than of training rows when these are limited."""
        rows = self.prepared.splits["test"]
        return rows.select(self._test_rows(len(rows)))

    def texts(self, role: str) -> tuple[list[str], list[int]]:
        """Return raw texts and labels of "train" or "test"."""
        rows = self.loaded.splits[role]
        if role == "test":
            rows = rows.select(self._test_rows(len(rows)))
        (column,) = self.loaded.inputs
        return list(rows[column]), list(rows["label"])

    def model(self) -> Any:
        """Return a pretrained model with a fresh head; the seed decides the head."""
        set_seed(self.run.seed)
        size = self.settings.image_size if self.images else None
        model: Any = self.checkpoint.classifier(
            self.loaded.task, self.loaded.class_names, image_size=size
        )
        return model.to(memory_format=torch.channels_last) if self.images else model

    def job(self) -> Job:
        """Return a fresh model with its data and schedule."""
        model = self.model()
        run = self.run
        steps = -(-len(self.train) // run.batch_size)
        schedule = self.schedule()
        begun = thaws(schedule, model, run.epochs, steps) if run.method == "probe" else ()
        return Job(
            run=run,
            model=model,
            train=self.train,
            collate=self.prepared.collate,
            schedule=schedule,
            thaws=begun,
            parameters={group.name: group.parameter_names for group in layer_groups(model)},
            scratch=str(self.scratch / "trainer"),
        )

    def schedule(self) -> FreezingSchedule:
        """Return which layers train when."""
        if self.run.method == "full":
            return FreezingSchedule.full()
        if self.run.method == "probe":
            return FreezingSchedule((HEAD_ALONE,))
        top, below = _TOP[self.loaded.task]
        last = self.run.epochs - TOP_EPOCHS
        rates = DATASETS[self.run.dataset].rates
        lower = rates["full"] / rates["probe"]
        return FreezingSchedule.from_phases(
            [
                Phase(train=("head",), until_epoch=last - TOP_EPOCHS),
                Phase(train=("head", *top), until_epoch=last, rate=lower),
                Phase(train=("head", *top, *below), rate=lower),
            ]
        )

    def _test_rows(self, available: int) -> range:
        limit = self.run.examples or available
        return range(0, available, -(-available // limit))


def read_bench(run: Run, settings: Settings, scratch: Path) -> Bench:
    """Read and prepare the data of a run."""
    dataset = DATASETS[run.dataset]
    spec = DataSpec(
        path=str(settings.data / run.dataset),
        train_examples=run.examples or None,
        max_length=MAX_LENGTH,
        image_size=settings.image_size if dataset.task == "image-classification" else None,
    )
    loaded = load_data(spec, dataset.task)
    prepared = prepare(Checkpoint(dataset.checkpoint), loaded, ("train", "test"))
    return Bench(run, settings, loaded, prepared, scratch)
