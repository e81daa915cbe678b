"""Hidden harm: test examples that transfer loses, also where the mean over all is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.records import HiddenHarm

__all__ = ["MOST_EXAMPLES", "hidden_harm"]

MOST_EXAMPLES = 20


def hidden_harm(transfer: NDArray[np.bool_], control: NDArray[np.bool_]) -> HiddenHarm:
    """Count the test examples that one side has right and the other wrong in most seeds.

    Two sets of seeds of one and the same plan differ on some examples as well. How many that
    would be follows from the control alone: if an example is right in a share p of its seeds,
    one pair of such runs loses it with probability p (1 - p), and most of n pairs with that of
    more than n / 2 successes in n draws. The shares are those that were seen, so with 2 or 3
    seeds the figure is low by up to a third; with 5 it is within a tenth.

    Args:
        transfer: [seeds, items], true where the prediction is right.
        control: [seeds, items], the same seeds in the same order.
    """
    from scipy.special import bdtr

    seeds, items = control.shape
    most = seeds // 2
    lost = (control & ~transfer).sum(axis=0)
    won = (transfer & ~control).sum(axis=0)
    right = control.mean(axis=0)
    by_noise = 1.0 - bdtr(most, seeds, right * (1.0 - right))
    return HiddenHarm(
        examples=items,
        seeds=seeds,
        lost=int((lost > most).sum()),
        won=int((won > most).sum()),
        expected=float(by_noise.sum()),
        lost_examples=_worst(lost, most),
        won_examples=_worst(won, most),
    )


def _worst(seeds: NDArray[np.int64], most: int) -> tuple[int, ...]:
    """Return the items that differ in more than `most` seeds, those of most seeds first."""
    order = np.argsort(-seeds, kind="stable")[:MOST_EXAMPLES]
    return tuple(int(item) for item in order if seeds[item] > most)
