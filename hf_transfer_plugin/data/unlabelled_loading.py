"""A target whose labels are read on test alone; train and validation need none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hf_transfer_plugin.data.checks import check_rows, untested
from hf_transfer_plugin.data.columns import (
    class_indices,
    input_columns,
    label_column,
)
from hf_transfer_plugin.data.domain_pairs import UNLABELLED
from hf_transfer_plugin.data.loading import (
    TargetData,
    labelled_splits,
    require_inputs,
    require_rows,
)
from hf_transfer_plugin.data.reading import read_splits
from hf_transfer_plugin.data.splitting import ROLES, choose_unlabelled_rows, require_splits
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, DataSummary, Task

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["load_unlabelled"]


def load_unlabelled(spec: DataSpec, task: Task, known_classes: Sequence[str] = ()) -> TargetData:
    """Read, split and check a target; its rows of train and validation have the label -100.

    The columns of labels of these two are not looked at, if there are any.

    Args:
        spec: where the data lie; there is a test split.
        task: what is to be learned.
        known_classes: names of the classes elsewhere, which decide where the test labels are plain
            values, for these may lack a class.

    Raises:
        DataError: for anything that would make training fail or its result meaningless.
    """
    from datasets import ClassLabel, DatasetDict

    raw = read_splits(spec)
    require_splits(spec, list(raw))
    _require_test(spec, raw)
    named = [getattr(spec, f"{role}_split") for role in ROLES]
    raw = DatasetDict({name: rows for name, rows in raw.items() if name in named})
    require_rows(raw)
    # Only test is sure to have a label, so columns are told by its features.
    as_test = replace(spec, train_split=spec.test_split)
    label = label_column(as_test, raw[spec.test_split])
    inputs = input_columns(as_test, task, raw[spec.test_split])
    require_inputs(inputs, label)
    _require_columns(spec, raw, inputs)
    tested = DatasetDict({spec.test_split: raw[spec.test_split]})
    names, classes = class_indices(as_test, tested, label)
    answers = classes[spec.test_split]
    if not isinstance(tested[spec.test_split].features[label], ClassLabel):
        names, answers = _among(known_classes, names, answers)
    sizes = {name: len(rows) for name, rows in raw.items()}
    chosen = choose_unlabelled_rows(spec, sizes, answers)
    labels = {role: [UNLABELLED] * len(rows) for role, (_, rows) in chosen.items()}
    labels["test"] = [answers[row] for row in chosen["test"][1]]
    splits = labelled_splits(raw, chosen, labels, inputs, task)
    fingerprint, warnings = check_rows(splits, task, inputs, labels)
    counts = {"test": tuple(map(labels["test"].count, range(len(names))))}
    warnings += untested(names, set(range(len(names))) - set(labels["test"]))
    summary = DataSummary(spec.path, fingerprint, names, counts, warnings)
    return TargetData(task, spec, splits, inputs, summary)


def _among(
    known: Sequence[str], names: tuple[str, ...], labels: list[int]
) -> tuple[tuple[str, ...], list[int]]:
    """Return the known classes and their numbers, where they hold all names; else all as it is."""
    if not set(names) <= set(known):
        return names, labels
    return tuple(known), [list(known).index(names[label]) for label in labels]


def _require_test(spec: DataSpec, raw: DatasetDict) -> None:
    if spec.test_split not in raw:
        raise DataError(
            arrived=f"{spec.path} has no split {spec.test_split!r}, with labels: source",
            expected="a test split with labels, for the final number: to hold one out of train by "
            "class would read the labels of train",
            action="give a test split, or name it (data.test_split)",
        )


def _require_columns(spec: DataSpec, raw: DatasetDict, inputs: tuple[str, ...]) -> None:
    for name, rows in raw.items():
        missing = [column for column in inputs if column not in rows.column_names]
        if missing:
            raise DataError(
                arrived=f"the split {name} of {spec.path} has no column {missing[0]!r}, only "
                + ", ".join(rows.column_names),
                expected="the same inputs in each split",
                action="rename the column",
            )
