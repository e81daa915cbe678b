"""Train, validation and test, held out and subsampled by class, the same for every plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec

__all__ = ["ROLES", "choose_rows", "require_splits"]

ROLES = ("train", "validation", "test")


def require_splits(spec: DataSpec, present: Sequence[str]) -> None:
    """Check that the splits that were named exist; one left at its usual name may be missing.

    Raises:
        DataError: naming the missing split and those that are there.
    """
    usual = DataSpec(spec.path)
    named = {
        "data.train_split": (spec.train_split, True),
        "data.validation_split": (
            spec.validation_split,
            spec.validation_split != usual.validation_split,
        ),
        "data.test_split": (spec.test_split, spec.test_split != usual.test_split),
    }
    for key, (split, needed) in named.items():
        if needed and split not in present:
            raise DataError(
                arrived=f"{spec.path} has no split {split!r} ({key})",
                expected="one of " + ", ".join(present),
                action=f"set {key} to one of these",
            )


def choose_rows(
    spec: DataSpec, labels: Mapping[str, Sequence[int]]
) -> dict[str, tuple[str, list[int]]]:
    """Choose the rows of train, validation and test.

    Args:
        spec: names, sizes and the seed.
        labels: source split -> class of each row.

    Returns:
        role -> (source split, row numbers, ascending).

    Raises:
        DataError: when a class is too small to be divided.
    """
    source = spec.train_split
    remaining = list(range(len(labels[source])))
    chosen: dict[str, tuple[str, list[int]]] = {}
    for role, split, fraction in (
        ("test", spec.test_split, spec.test_fraction),
        ("validation", spec.validation_split, spec.validation_fraction),
    ):
        if split in labels:
            chosen[role] = (split, list(range(len(labels[split]))))
        else:
            size = max(round(fraction * len(labels[source])), len(set(labels[source])))
            drawn, remaining = _divide(labels[source], remaining, size, spec.seed, role)
            chosen[role] = (source, drawn)
    chosen["train"] = (source, remaining)
    wanted = (spec.train_examples, spec.validation_examples, spec.test_examples)
    for role, examples in zip(ROLES, wanted, strict=True):
        split, rows = chosen[role]
        if examples is not None and examples < len(rows):
            chosen[role] = (split, _divide(labels[split], rows, examples, spec.seed, role)[0])
    return chosen


def _divide(
    labels: Sequence[int], rows: list[int], size: int, seed: int, role: str
) -> tuple[list[int], list[int]]:
    """Draw `size` of the rows, stratified; return (drawn, left), both ascending."""
    from sklearn.model_selection import train_test_split

    counts = Counter(labels[row] for row in rows)
    smallest = min(counts.values(), default=0)
    if size < len(counts) or smallest < 2 or len(rows) - size < len(counts):
        raise DataError(
            arrived=f"{len(rows)} rows of {len(counts)} classes (the smallest has {smallest}) "
            f"cannot give {size} for {role}",
            expected=f"at least one row of each class in {role} and in what is left",
            action="give more rows of the small classes, a split of its own, or another size",
        )
    drawn, left = train_test_split(
        rows, train_size=size, random_state=seed, stratify=[labels[row] for row in rows]
    )
    return sorted(drawn), sorted(left)
