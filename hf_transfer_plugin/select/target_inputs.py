"""Targets beyond one class an example: which kind arrived, checked and brought to columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.select.score_inputs import (
    Floats,
    checked_table,
    require_equal_lengths,
    require_finite,
)

__all__ = ["TargetKind", "checked_columns", "kind_of"]

TargetKind = Literal["classes", "labels", "values"]
KINDS: tuple[TargetKind, ...] = get_args(TargetKind)


def kind_of(
    labels: ArrayLike, score: str, given: TargetKind | None, known: Sequence[TargetKind] = KINDS
) -> TargetKind:
    """Return what the labels are: one class an example, several labels of 0 and 1, or values.

    One axis holds classes. Two axes with two or more columns hold labels when all are 0 or 1, and
    values when some are not whole. All else must be said: a single column, or several columns of
    other whole numbers, would be a guess.

    Args:
        labels: [examples], or [examples, columns].
        score: name of the score, for the error.
        given: what the caller says they are.
        known: what the score is defined for.

    Raises:
        DataError: for a kind that the score is not defined for, or that cannot be told.
    """
    kind = _guessed(labels, score) if given is None else given
    if kind not in known:
        others = {"values": "linear_probe_r2", "labels": "linear_probe_accuracy"}
        instead = f"score by logme or {others[kind]}" if kind in others else "leave target out"
        arrived = f"target={kind!r}" if given is not None else f"[examples, columns] of {kind}"
        raise DataError(
            arrived=f"{score} got {arrived}",
            expected="one of " + ", ".join(map(repr, known)),
            action=instead,
        )
    return kind


def checked_columns(
    features: ArrayLike, targets: ArrayLike, score: str, kind: Literal["labels", "values"]
) -> tuple[Floats, Floats]:
    """Return the features and the columns of the targets that vary, both in float64.

    Args:
        features: [examples, features].
        targets: [examples, columns], or [examples] for a single column.
        score: name of the score, for the error.
        kind: "labels" must be 0 or 1.

    Returns:
        [examples, features] and [examples, varying columns]; at least one column.

    Raises:
        DataError: for a wrong shape, values that are not finite or not 0 and 1, lengths that
            differ, and targets of which none varies.
    """
    table = checked_table(features, score)
    expected = f"{kind} [examples, columns], or [examples] for a single one"
    try:
        array: NDArray[Any] = np.asarray(targets)
        if array.ndim not in (1, 2) or 0 in array.shape:
            raise ValueError(f"an array of shape {array.shape}")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"values of type {array.dtype}")
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            arrived=f"{score} cannot read the targets: {error}",
            expected=expected,
            action="pass numbers, one row for each row of features",
        ) from None
    columns: Floats = array.astype(np.float64).reshape(len(array), -1)
    require_finite(columns, score, "drop examples without a target")
    require_equal_lengths(table, columns, score, "features")
    if kind == "labels" and not np.isin(columns, (0.0, 1.0)).all():
        raise DataError(
            arrived=f"{score} got labels from {columns.min():g} to {columns.max():g}",
            expected="labels of 0 and 1",
            action='pass target="values" for real numbers, or one class an example',
        )
    varying = columns[:, columns.max(axis=0) > columns.min(axis=0)]
    if varying.shape[1] == 0:
        raise DataError(
            arrived=f"{score} got targets of one value in {len(columns)} examples",
            expected="a column with two values at least",
            action="score a sample of the whole training split",
        )
    return table, varying


def _guessed(labels: ArrayLike, score: str) -> TargetKind:
    try:
        array: NDArray[Any] = np.asarray(labels)
    except (TypeError, ValueError, RuntimeError):
        return "classes"  # whose reading says what is wrong
    if array.ndim != 2 or array.dtype.kind not in "fiub" or 0 in array.shape:
        return "classes"
    if array.shape[1] > 1:
        if np.isin(array, (0, 1)).all():
            return "labels"
        if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
            return "values"
    raise DataError(
        arrived=f"{score} cannot read the labels: an array of shape {array.shape} of whole numbers",
        expected="classes [examples], labels of 0 and 1 or real numbers [examples, columns]",
        action='pass classes on one axis, or say what the columns are: target="labels" or "values"',
    )
