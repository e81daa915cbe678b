"""Whether two readings of the same rows give the same tensors, and who draws random numbers."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_transfer_plugin.prefix.padding import same_values

if TYPE_CHECKING:
    from hf_transfer_plugin.prefix.row_source import RowSource

__all__ = ["NotCacheable", "check_deterministic", "kept_random_states", "seed_everything"]

_PROBES = 32


class NotCacheable(Exception):
    """What comes out of the frozen layers cannot be kept.

    Args:
        reason: a plain sentence for the user.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _states() -> tuple[Any, Any, Any]:
    import torch

    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _drawn(before: tuple[Any, Any, Any], after: tuple[Any, Any, Any]) -> list[str]:
    """Return the libraries whose global random numbers were used in between."""
    import torch

    used = {
        "random": before[0] != after[0],
        "numpy": not all(np.array_equal(a, b) for a, b in zip(before[1], after[1], strict=True)),
        "torch": not torch.equal(before[2], after[2]),
    }
    return [name for name, changed in used.items() if changed]


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Put the global random states of Python, numpy and torch (CPU) back at the end."""
    import torch

    python, array, tensor = _states()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)
        torch.set_rng_state(tensor)


def seed_everything(*numbers: int) -> None:
    """Seed the global random numbers of Python, numpy and torch (CPU) by a hash of numbers."""
    import torch

    text = ",".join(map(str, numbers)).encode()
    value = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.default_generator.manual_seed(value % 2**63)


def check_deterministic(source: RowSource) -> None:
    """Read spread rows twice; the global random states are left as they were.

    Raises:
        NotCacheable: when a row is not the same each time that it is read.
    """
    rows = source.spread(_PROBES)
    with kept_random_states():
        first = source.batch(rows)
        # The first reading may draw to set something up; the second shows what each reading does.
        before = _states()
        features = source.features(rows)
        read = _states()
        second = dict(source.collate(features))
        collated = _states()
    by_dataset, by_collator = _drawn(before, read), _drawn(read, collated)
    different = [
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or not same_values(first[name], second[name])
    ]
    if source.views > 1:
        _check_views(different, by_collator)
    elif different or by_dataset or by_collator:
        raise NotCacheable(_random(sorted(different), by_dataset, by_collator))


def _check_views(different: list[str], by_collator: list[str]) -> None:
    if by_collator:
        raise NotCacheable(
            f"the data collator draws random numbers ({', '.join(by_collator)}), so a row depends "
            "on the batch that it is in; views=K repeats what the dataset draws, not what the "
            "collator draws: move the augmentation into the dataset's transform"
        )
    if different:
        raise NotCacheable(
            f"the same view read twice differs in {', '.join(sorted(different))}: something draws "
            "from a random generator of its own, which views=K cannot seed (it seeds random, "
            "numpy and torch); let the augmentation draw from one of those"
        )


def _random(different: list[str], by_dataset: list[str], by_collator: list[str]) -> str:
    if by_collator and not by_dataset:
        return (
            f"the data collator draws random numbers ({', '.join(by_collator)}), so the same rows "
            "differ from batch to batch; use a collator that only pads and stacks"
        )
    if different:
        found = f"two readings of the same rows differ in {', '.join(different)}"
    else:
        found = f"reading a row draws random numbers ({', '.join(by_dataset)})"
    return (
        f"the data are random: {found} (an augmentation?); use views=K to keep K fixed views of "
        "each example, or take the augmentation out"
    )
