"""The rows of several tasks as one data set, each with the number of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils.data import Dataset

from hf_transfer_plugin.adapt.multitask.row_order import epoch_order
from hf_transfer_plugin.adapt.multitask_checks import check_names, check_way
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.multitask_records import Way

__all__ = ["TaskRows", "TrainingRows", "with_tasks"]

_Row = dict[str, Any]


class TaskRows(Dataset[_Row]):
    """All rows of all tasks, one task after the other: what is evaluated.

    Args:
        tasks: name -> its rows, which hold "labels".
        role: what the rows are, for errors.

    Raises:
        DataError: for a task without rows.
        ConfigError: for names that do not fit.
    """

    def __init__(self, tasks: Mapping[str, Any], role: str = "validation") -> None:
        check_names(list(tasks))
        self.tasks = dict(tasks)
        for name, rows in self.tasks.items():
            if rows is None or not len(rows):
                raise DataError(
                    arrived=f"task {name} has no {role} rows",
                    expected=f"at least one of each class: each task is judged by its own {role}",
                    action=f"give it a {role} split, or let a share of train be held out",
                )
        self.sizes = [len(rows) for rows in self.tasks.values()]
        self._rows = list(self.tasks.values())

    def __len__(self) -> int:
        return sum(self.sizes)

    def __getitem__(self, place: int) -> _Row:
        task = 0
        while place >= self.sizes[task]:
            place -= self.sizes[task]
            task += 1
        return {**self._rows[task][place], "task_labels": task}


class TrainingRows(TaskRows):
    """The rows of an epoch in the order in which they are read; see `epoch_order`.

    Train with `TrainingArguments(train_sampling_strategy="sequential")`: the order is here, and
    follows from seed and epoch, so that a resumed run reads on where it stopped.

    Args:
        tasks: name -> its training rows.
        way: how tasks are sampled; None: by size.
        seed: of the run.

    Raises:
        ConfigError: for a sampling that does not exist, or a temperature below 1.
        DataError: for a task without rows.
    """

    def __init__(self, tasks: Mapping[str, Any], way: Way | None = None, seed: int = 0) -> None:
        super().__init__(tasks, "train")
        way = way or Way()
        check_way(way)
        self.way, self.seed = way, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Bring the rows into the order of an epoch, from 0; Trainer calls it."""
        way = self.way
        order = epoch_order(self.sizes, way.sampling, way.temperature, self.seed, epoch)
        self._task_of, self._row_of = (each.tolist() for each in order)

    def __len__(self) -> int:
        return len(self._task_of)

    def __getitem__(self, place: int) -> _Row:
        task = self._task_of[place]
        return {**self._rows[task][self._row_of[place]], "task_labels": task}


def with_tasks(
    collate: Callable[[list[_Row]], dict[str, Any]],
) -> Callable[[Sequence[_Row]], dict[str, Any]]:
    """Return a collator that hands on the task of each row as `task_labels` [rows].

    Args:
        collate: of the rows without their task.
    """
    import torch

    def joined(rows: Sequence[_Row]) -> dict[str, Any]:
        tasks = torch.tensor([row["task_labels"] for row in rows])
        plain = [{k: each for k, each in row.items() if k != "task_labels"} for row in rows]
        return {**collate(plain), "task_labels": tasks}

    return joined
