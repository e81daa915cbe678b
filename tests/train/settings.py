"""Data and checkpoint with plans for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.records import DataSpec, Plan, Task
from hf_transfer_plugin.train.preparing import prepare
from hf_transfer_plugin.train.training import Trained, train_once
from tests.tiny_runs import image_checkpoint, text_checkpoint, write_images, write_text_folder

__all__ = ["BEST_AT_THE_END", "Setting", "calm_text_checkpoint", "image_setting", "text_setting"]

#: Training arguments under which the best model is not the last one.
BEST_AT_THE_END: dict[str, Any] = {
    "num_train_epochs": 4,
    "learning_rate": 1e-2,
    "lr_scheduler_type": "constant",
    "save_strategy": "epoch",
    "load_best_model_at_end": True,
    "metric_for_best_model": "loss",
}
Rows = list[dict[str, Any]]
_DROPOUTS = ("attention_probs_dropout_prob", "hidden_dropout_prob")


@dataclass(frozen=True)
class Setting:
    """Checked data and the folder of a checkpoint for them."""

    task: Task
    checkpoint: Path
    data: TargetData

    def plan(self, **changed: Any) -> Plan:
        """Return a plan of two epochs, changed as asked."""
        keys: dict[str, Any] = {
            "name": "transfer",
            "training": {"num_train_epochs": 2, "learning_rate": 1e-3},
            "batch_size": 8,
            "seeds": (0, 1),
            **changed,
        }
        return Plan(task=self.task, checkpoint=str(self.checkpoint), data=self.data.spec, **keys)

    def train(
        self,
        plan: Plan,
        seed: int = 0,
        rate: float | None = None,
        see: Callable[[Rows], None] | None = None,
    ) -> Trained:
        """Train once; `see` is shown the rows of each batch."""
        checkpoint, prepared = prepare(plan, self.data)
        collate = prepared.collate

        def shown(rows: Rows) -> dict[str, Any]:
            if see is not None:
                see(rows)
            return collate(rows)

        prepared = replace(prepared, collate=shown)
        return train_once(plan, seed, rate, self.data, checkpoint, prepared)


def text_setting(folder: Path) -> Setting:
    """Make texts and a BERT in a folder."""
    write_text_folder(folder / "texts")
    checkpoint = calm_text_checkpoint(folder / "bert")
    task: Task = "text-classification"
    return Setting(task, checkpoint, load_data(DataSpec(str(folder / "texts")), task))


def calm_text_checkpoint(folder: Path) -> Path:
    """Save a tiny random BERT without dropout, which learns the tiny texts within five epochs."""
    checkpoint = text_checkpoint(folder)
    config = checkpoint / "config.json"
    text = config.read_text()
    for name in _DROPOUTS:
        assert f'"{name}": 0.1' in text
        text = text.replace(f'"{name}": 0.1', f'"{name}": 0.0')
    config.write_text(text)
    return checkpoint


def image_setting(folder: Path) -> Setting:
    """Make pictures and a ResNet in a folder."""
    write_images(folder / "pictures", per_class=12)
    checkpoint = image_checkpoint(folder / "resnet")
    spec = DataSpec(
        str(folder / "pictures"), image="image", validation_fraction=0.25, test_fraction=0.25
    )
    task: Task = "image-classification"
    return Setting(task, checkpoint, load_data(spec, task))
