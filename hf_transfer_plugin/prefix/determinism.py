"""Whether two readings of the same rows give the same tensors, and who draws random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_transfer_plugin.prefix.padding import same_values
from hf_transfer_plugin.random_states import drawn, kept_random_states, random_states

if TYPE_CHECKING:
    from hf_transfer_plugin.prefix.row_source import RowSource

__all__ = ["NotCacheable", "check_deterministic"]

_PROBES = 32


class NotCacheable(Exception):
    """What comes out of the frozen layers cannot be kept.

    Args:
        reason: a plain sentence for the user.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_deterministic(source: RowSource) -> None:
    """Read spread rows twice; the global random states are left as they were.

    Raises:
        NotCacheable: when a row is not the same each time that it is read.
    """
    rows = source.spread(_PROBES)
    with kept_random_states():
        first = source.batch(rows)
        # The first reading may draw to set something up; the second shows what each reading does.
        before = random_states()
        features = source.features(rows)
        read = random_states()
        second = dict(source.collate(features))
        collated = random_states()
    by_dataset, by_collator = drawn(before, read), drawn(read, collated)
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
