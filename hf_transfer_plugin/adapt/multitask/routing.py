"""A head module for each task in the place of one: each row goes through that of its task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["RowTasks", "TaskModules"]


class RowTasks:
    """The task of each row of the batch that is in the network, read by all its heads."""

    def __init__(self) -> None:
        self._tasks: Tensor | None = None
        self._present: list[int] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> RowTasks:
        """Return itself: a copied head is still told by the network that holds it."""
        return self

    @contextmanager
    def of(self, tasks: Tensor) -> Iterator[None]:
        """Say the tasks [rows] of a batch while it passes."""
        self._tasks, self._present = tasks, tasks.unique().tolist()
        try:
            yield
        finally:
            self._tasks = None

    @property
    def present(self) -> list[int]:
        """The tasks of the batch."""
        return self._present

    def rows_of(self, task: int) -> Tensor:
        """Return the places of the rows of a task."""
        assert self._tasks is not None, "heads of tasks are reached through their network alone"
        return (self._tasks == task).nonzero().flatten()


class TaskModules(nn.Module):
    """One module for each task, which all read and give tensors whose first axis is the rows.

    Outputs of several widths (classes) are filled up on the right with the least number, to which
    a softmax gives no probability.

    Args:
        heads: one for each task.
        row_tasks: is told the tasks of each batch.
    """

    def __init__(self, heads: Sequence[nn.Module], row_tasks: RowTasks) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.row_tasks = row_tasks

    def forward(self, features: Tensor, *rest: Any, **options: Any) -> Tensor:
        """Return [rows, ..., widest output]."""
        present = self.row_tasks.present
        if len(present) == 1:
            alone: Tensor = self.heads[present[0]](features, *rest, **options)
            return alone
        found = []
        for task in present:
            rows = self.row_tasks.rows_of(task)
            found.append((rows, self.heads[task](features[rows], *rest, **options)))
        width = max(output.shape[-1] for _, output in found)
        first: Tensor = found[0][1]
        least = torch.finfo(first.dtype).min
        joined = first.new_full((len(features), *first.shape[1:-1], width), least)
        for rows, output in found:
            if output.shape[-1] < width:
                missing = (0, width - output.shape[-1])
                output = nn.functional.pad(output, missing, value=least)
            joined = joined.index_copy(0, rows, output.to(joined.dtype))
        return joined
