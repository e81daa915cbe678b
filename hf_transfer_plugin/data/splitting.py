"""Train, validation and test, held out and subsampled by class, the same for every plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec

__all__ = ["ROLES", "choose_rows", "choose_unlabelled_rows", "require_splits"]

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
            chosen[role] = (split, _sample(labels[split], rows, examples, spec.seed, role))
    return chosen


def choose_unlabelled_rows(
    spec: DataSpec, sizes: Mapping[str, int], test: Sequence[int]
) -> dict[str, tuple[str, list[int]]]:
    """Choose rows as `choose_rows` does, without any label of train and validation.

    Args:
        spec: names, sizes and the seed.
        sizes: source split -> number of its rows; the test split is one of them.
        test: class of each test row.

    Returns:
        role -> (source split, row numbers, ascending).

    Raises:
        DataError: when too few rows are left, or test cannot be divided by class.
    """
    import numpy as np

    draw = np.random.default_rng(spec.seed)
    remaining = list(range(sizes[spec.train_split]))
    if spec.validation_split in sizes:
        held_out = (spec.validation_split, list(range(sizes[spec.validation_split])))
    else:
        order = draw.permutation(len(remaining)).tolist()
        size = max(1, round(spec.validation_fraction * len(remaining)))
        held_out, remaining = (spec.train_split, sorted(order[:size])), sorted(order[size:])
    if not remaining:
        raise DataError(
            arrived=f"{sizes[spec.train_split]} rows in {spec.path} (data.train_split)",
            expected="rows of the target to train on, and one or more to choose by",
            action="give more unlabelled rows, or a validation split",
        )

    def some(rows: list[int], wanted: int | None) -> list[int]:
        few = wanted is not None and wanted < len(rows)
        return sorted(draw.permutation(rows)[:wanted].tolist()) if few else rows

    tested = list(range(len(test)))
    if spec.test_examples is not None and spec.test_examples < len(tested):
        tested = _sample(test, tested, spec.test_examples, spec.seed, "test")
    return {
        "train": (spec.train_split, some(remaining, spec.train_examples)),
        "validation": (held_out[0], some(held_out[1], spec.validation_examples)),
        "test": (spec.test_split, tested),
    }


def _sample(labels: Sequence[int], rows: list[int], size: int, seed: int, role: str) -> list[int]:
    """Draw `size` of the rows, ascending, with each class: stratified where its rows allow it."""
    import numpy as np

    counts = Counter(labels[row] for row in rows)
    if size < len(counts):
        raise DataError(
            arrived=f"{len(rows)} rows of {len(counts)} classes cannot give {size} for {role}",
            expected="at least one row of each class",
            action=f"set {role}_examples to {len(counts)} or more",
        )
    if len(rows) - size >= len(counts) and min(counts.values()) > 1:
        return _divide(labels, rows, size, seed, role)[0]
    kept = set(rows)
    for row in np.random.default_rng(seed).permutation(rows).tolist():
        if len(kept) > size and counts[labels[row]] > 1:
            kept.remove(row)
            counts[labels[row]] -= 1
    return sorted(kept)


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
