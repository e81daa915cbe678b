"""How often each task is read, and in which order: from seed and epoch alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hf_transfer_plugin.adapt.multitask import epoch_order, quotas
from hf_transfer_plugin.multitask_records import Sampling

SIZES = (900, 90, 10)
# (sampling, temperature, rows of each task in an epoch). The roots 30, 9.49 and 3.16 are as 703.4,
# 222.4 and 74.1.
PROPORTIONS: list[tuple[Sampling, float, list[int]]] = [
    ("size", 2.0, [900, 90, 10]),
    ("temperature", 1.0, [900, 90, 10]),
    ("temperature", 2.0, [703, 223, 74]),
    ("temperature", 1e6, [334, 333, 333]),
    ("round_robin", 2.0, [334, 333, 333]),
]


@pytest.mark.parametrize(("sampling", "temperature", "wanted"), PROPORTIONS)
def test_proportions(sampling: Sampling, temperature: float, wanted: list[int]) -> None:
    assert quotas(SIZES, sampling, temperature).tolist() == wanted
    orders = [epoch_order(SIZES, sampling, temperature, 5, epoch) for epoch in range(3)]
    for tasks, _ in orders:
        assert np.bincount(tasks, minlength=3).tolist() == wanted
    for task, size in enumerate(SIZES):
        seen = Counter(int(row) for tasks, rows in orders for row in rows[tasks == task])
        counts = [seen[row] for row in range(size)]
        # No row is read again before all were.
        assert max(counts) - min(counts) <= 1 and sum(counts) == 3 * wanted[task]


def test_order_follows_from_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return [*map(int, np.concatenate(epoch_order(SIZES, "temperature", 2.0, seed, epoch)))]

    assert order(0, 4) == order(0, 4)
    assert order(0, 4) != order(0, 5) and order(0, 4) != order(1, 4)


def test_round_robin_takes_turns() -> None:
    tasks, _ = epoch_order((2, 5, 2), "round_robin", 2.0, 0, 0)
    assert tasks.tolist() == [0, 1, 2] * 3


def test_a_small_task_is_never_left_out() -> None:
    assert quotas((10_000, 1), "temperature", 1.0).tolist() == [10_000, 1]
    assert quotas((10_000, 3, 3), "temperature", 1.5).min() >= 1
