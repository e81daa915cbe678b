"""What every score does first: check what arrived, and bring it to one form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.errors import DataError

__all__ = [
    "centred",
    "checked",
    "checked_probabilities",
    "checked_table",
    "principal_components",
    "require_equal_lengths",
    "require_finite",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

LARGEST = 1e100  # squares of anything larger leave float64
ROW_SUM_TOLERANCE = 1e-2  # float16 probabilities of a thousand classes add up no better


def checked(
    features: ArrayLike, labels: ArrayLike, score: str, what: str = "features"
) -> tuple[Floats, Integers]:
    """Return the features in float64 and the labels as class numbers 0, 1, ...

    Args:
        features: [examples, features], any real dtype.
        labels: [examples], integers or strings.
        score: name of the score, for the error.
        what: name of the second axis, for the error.

    Returns:
        Features [examples, features] and class numbers [examples], at least two classes.

    Raises:
        DataError: for a wrong shape, values that are not finite, lengths that differ, one class.
    """
    table = checked_table(features, score, what)
    classes = _classes(labels, score)
    require_equal_lengths(table, classes, score, what)
    return table, classes


def checked_probabilities(
    probabilities: ArrayLike, labels: ArrayLike, score: str
) -> tuple[Floats, Integers]:
    """Return source-class probabilities with rows that add up to one, and class numbers.

    Args:
        probabilities: [examples, source classes], the softmax of the source head.
        labels: [examples], integers or strings.
        score: name of the score, for the error.

    Raises:
        DataError: as `checked`, and for negative values or rows that do not add up to one.
    """
    table, classes = checked(probabilities, labels, score, "source classes")
    sums = table.sum(axis=1)
    worst = float(sums[np.argmax(np.abs(sums - 1.0))])
    smallest = float(table.min())
    if smallest < 0.0 or abs(worst - 1.0) > ROW_SUM_TOLERANCE:
        raise DataError(
            arrived=f"{score} got rows that are no probabilities: "
            f"smallest value {smallest:.4g}, a row that adds up to {worst:.4g}",
            expected="source-class probabilities [examples, source classes], each row adding up "
            "to 1",
            action="apply softmax to the logits of the source head over the source classes",
        )
    return table / sums[:, None], classes


def centred(features: Floats) -> Floats:
    """Return features minus their means; a constant column becomes exactly zero.

    Args:
        features: [examples, features].
    """
    moved: Floats = features - features.mean(axis=0)
    # Rounding of the mean would leave noise of 1e-17 that a later rescaling blows up.
    moved[:, features.max(axis=0) == features.min(axis=0)] = 0.0
    return moved


def principal_components(features: Floats, *, most: int, share: float = 1.0) -> Floats:
    """Project onto the leading principal components.

    Args:
        features: [examples, features].
        most: number of components at most.
        share: smallest share of the variance that the components hold, in (0, 1].

    Returns:
        [examples, components], largest variance first; no column for constant features.
    """
    moved = centred(features)
    if moved.shape[0] > moved.shape[1]:
        variances, axes = np.linalg.eigh(moved.T @ moved)
        variances, axes = variances[::-1], axes[:, ::-1]
    else:
        _, singular, transposed = np.linalg.svd(moved, full_matrices=False)
        variances, axes = singular**2, transposed.T
    held = np.maximum(variances, 0.0)
    rank = int(np.sum(held > held[0] * max(moved.shape) * np.finfo(np.float64).eps))
    if rank and share < 1.0:
        reached = np.cumsum(held) / held.sum()
        rank = min(rank, int(np.searchsorted(reached, share)) + 1)
    projected: Floats = moved @ axes[:, : min(rank, most)]
    return projected


def checked_table(values: ArrayLike, score: str, what: str = "features") -> Floats:
    """Return a table in float64.

    Args:
        values: [examples, features], any real dtype.
        score: name of the score, for the error.
        what: name of the second axis, for the error.

    Raises:
        DataError: for a wrong shape or values that are not finite.
    """
    try:
        array: NDArray[Any] = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"values of type {array.dtype}")
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            arrived=f"{score} cannot read the {what}: {error}",
            expected=f"a numpy array [examples, {what}] of real numbers",
            action="pass arrays: tensor.detach().float().cpu().numpy()",
        ) from None
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(
            arrived=f"{score} got an array of shape {array.shape}",
            expected=f"two axes, [examples, {what}], neither empty",
            action="pool the hidden states to one vector an example (a mean over tokens or pixels)",
        )
    table: Floats = array.astype(np.float64)
    require_finite(
        table,
        score,
        "extract the features in float32 or bfloat16: float16 overflows at 65,504",
    )
    return table


def require_finite(table: Floats, score: str, action: str) -> None:
    """Refuse values that are NaN, infinite or so large that their squares leave float64.

    Args:
        table: [examples, columns].
        score: name of the score, for the error.
        action: what to do about them.

    Raises:
        DataError: with the place of the first.
    """
    wrong = ~(np.abs(table) <= LARGEST)  # true for NaN as well
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        raise DataError(
            arrived=f"{score} got {int(wrong.sum())} values that are NaN, infinite or beyond "
            f"{LARGEST:g}; the first is {table[row, column]} in row {row}, column {column}",
            expected="finite numbers",
            action=action,
        )


def require_equal_lengths(table: Floats, labels: NDArray[Any], score: str, what: str) -> None:
    """Refuse tables with more or fewer rows than there are labels.

    Args:
        table: [examples, columns].
        labels: [examples, ...].
        score: name of the score, for the error.
        what: name of the columns, for the error.

    Raises:
        DataError: with both lengths.
    """
    if len(table) != len(labels):
        raise DataError(
            arrived=f"{score} got {len(table)} rows of {what} but {len(labels)} labels",
            expected="one label for each row, in the same order",
            action="take both from the same split, neither shuffled nor cut after the other",
        )


def _classes(labels: ArrayLike, score: str) -> Integers:
    expected = "one class label an example: [examples], integers or strings"
    try:
        array: NDArray[Any] = np.asarray(labels)
        if array.ndim != 1:
            raise ValueError(f"an array of shape {array.shape}")
        if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
            raise ValueError("numbers that are NaN or not whole")
        if array.dtype.kind not in "fiubUSO":
            raise TypeError(f"values of type {array.dtype}")
        names, classes = np.unique(array, return_inverse=True)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            arrived=f"{score} cannot read the labels: {error}",
            expected=expected,
            action="drop examples without a label; logme takes several labels an example too, and "
            'numbers with target="values"',
        ) from None
    if len(names) < 2:
        only = "no label" if len(names) == 0 else f"only the class {names.tolist()[0]!r}"
        raise DataError(
            arrived=f"{score} got {only} in {len(array)} examples",
            expected="at least two classes",
            action="score a stratified sample of the whole training split",
        )
    return np.asarray(classes, dtype=np.intp)
