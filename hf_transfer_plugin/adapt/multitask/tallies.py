"""What is counted between two logs of a multitask run: losses of tasks, and their conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from torch import Tensor

__all__ = ["PREFIX", "Tallies"]

#: What entries of the log about conflicts begin with.
PREFIX = "pcgrad/"


class Tallies:
    """Sums since the last log, and over the run for pairs of tasks."""

    def __init__(self) -> None:
        self._losses: dict[str, tuple[float, int]] = {}
        self._pairs: dict[str, tuple[int, int]] = {}
        self._run: dict[str, tuple[int, int]] = {}

    def add_losses(
        self, names: Sequence[str], losses: Mapping[int, Tensor], task_labels: Tensor
    ) -> None:
        """Add the losses of a pass.

        Args:
            names: of the tasks.
            losses: task -> the sum over its rows, divided by all rows of the pass.
            task_labels: task of each row [rows].
        """
        for task, loss in losses.items():
            total, rows = self._losses.get(names[task], (0.0, 0))
            more = int((task_labels == task).sum())
            self._losses[names[task]] = (
                total + float(loss.detach()) * len(task_labels),
                rows + more,
            )

    def add_conflicts(
        self, names: Sequence[str], present: Sequence[bool], conflicts: Tensor
    ) -> None:
        """Count the pairs of a pass.

        Args:
            names: of the tasks.
            present: which tasks have a gradient.
            conflicts: [tasks, tasks], which gradients pull against each other.
        """
        for i, j in combinations(range(len(names)), 2):
            if present[i] and present[j]:
                pair = f"{names[i]} / {names[j]}"
                for counts in (self._pairs, self._run):
                    bad, all_ = counts.get(pair, (0, 0))
                    counts[pair] = (bad + int(conflicts[i, j]), all_ + 1)

    def take(self) -> dict[str, float]:
        """Return the entries of a log, and begin anew.

        "loss/TASK": mean cross-entropy in nats; "pcgrad/conflicts": pairs in conflict;
        "pcgrad/pairs": pairs looked at; "pcgrad/A / B": share of A and B in conflict.
        """
        found: dict[str, float] = {
            f"loss/{name}": total / rows for name, (total, rows) in self._losses.items()
        }
        if self._pairs:
            found[f"{PREFIX}conflicts"] = sum(bad for bad, _ in self._pairs.values())
            found[f"{PREFIX}pairs"] = sum(all_ for _, all_ in self._pairs.values())
            found |= {f"{PREFIX}{pair}": bad / all_ for pair, (bad, all_) in self._pairs.items()}
        self._losses, self._pairs = {}, {}
        return found

    def shares(self) -> dict[str, float]:
        """Return pair -> share of the passes of the run in which it was in conflict."""
        return {pair: bad / all_ for pair, (bad, all_) in sorted(self._run.items())}
