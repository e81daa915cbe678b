"""A `DataSpec` to three checked splits with known classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hf_transfer_plugin.data.checks import check_classes, check_rows
from hf_transfer_plugin.data.columns import (
    as_images,
    class_indices,
    input_columns,
    label_column,
)
from hf_transfer_plugin.data.reading import read_splits
from hf_transfer_plugin.data.splitting import ROLES, choose_rows, require_splits
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, DataSummary, Task

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["TargetData", "labelled_splits", "load_data", "require_inputs", "require_rows"]


@dataclass(frozen=True)
class TargetData:
    """Checked data.

    Attributes:
        splits: "train", "validation" and "test"; a column "label" with class indices.
        inputs: the column of the image, or those of the text (and its pair).
        summary: classes, counts and findings.
        source_rows: rows of train that come from another domain; they are the first ones.
    """

    task: Task
    spec: DataSpec
    splits: DatasetDict
    inputs: tuple[str, ...]
    summary: DataSummary
    source_rows: int = 0

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the class names in label order."""
        return self.summary.class_names

    def labels(self, role: str) -> tuple[int, ...]:
        """Return the class index of each row of a split."""
        return tuple(self.splits[role]["label"])


def load_data(spec: DataSpec, task: Task) -> TargetData:
    """Read, split and check the data.

    Args:
        spec: where they lie and which columns to read.
        task: what is to be learned from them.

    Raises:
        DataError: for anything that would make training fail or its result meaningless.
    """
    from datasets import DatasetDict

    raw = read_splits(spec)
    require_splits(spec, list(raw))
    named = [getattr(spec, f"{role}_split") for role in ROLES]
    raw = DatasetDict({name: rows for name, rows in raw.items() if name in named})
    require_rows(raw)
    label = label_column(spec, raw[spec.train_split])
    inputs = input_columns(spec, task, raw[spec.train_split])
    require_inputs(inputs, label)
    names, classes = class_indices(spec, raw, label)
    chosen = choose_rows(spec, classes)
    labels = {role: [classes[chosen[role][0]][row] for row in chosen[role][1]] for role in ROLES}
    warnings = check_classes(labels, names)
    splits = labelled_splits(raw, chosen, labels, inputs, task)
    fingerprint, more = check_rows(splits, task, inputs, labels)
    summary = DataSummary(
        path=spec.path,
        fingerprint=fingerprint,
        class_names=names,
        counts={r: tuple(labels[r].count(k) for k in range(len(names))) for r in ROLES},
        warnings=warnings + more,
    )
    return TargetData(task, spec, splits, inputs, summary)


def labelled_splits(
    raw: DatasetDict,
    chosen: Mapping[str, tuple[str, Sequence[int]]],
    labels: Mapping[str, list[int]],
    inputs: Sequence[str],
    task: Task,
) -> DatasetDict:
    """Return each role's rows, with its inputs and a class index (column "label").

    Args:
        raw: what was read.
        chosen: role -> split in `raw`, and rows of it.
        labels: role -> the class index of each of its rows.
        inputs: columns that are kept.
        task: of images, all are brought into one form.
    """
    from datasets import DatasetDict

    splits = DatasetDict()
    for role in ROLES:
        source, rows = chosen[role]
        kept = raw[source].select(rows).select_columns(list(inputs))
        if task == "image-classification":
            kept = as_images(kept, inputs[0])
        splits[role] = kept.add_column("label", labels[role])
    return splits


def require_inputs(inputs: Sequence[str], label: str) -> None:
    """Require inputs beside the label; "label" is what the class indices are stored as."""
    for name in inputs:
        if name in (label, "label") or list(inputs).count(name) > 1:
            raise DataError(
                arrived=f"the column {name!r} is to be read as input, once more or as label too",
                expected="an input column that is not the label and is not called 'label'",
                action="correct data.text (data.text_pair, data.image) or data.label",
            )


def require_rows(raw: DatasetDict) -> None:
    """Raise a DataError for a split without rows."""
    for name, rows in raw.items():
        if len(rows) == 0:
            raise DataError(
                arrived=f"the split {name} is empty",
                expected="at least one row of each class",
                action="check the file of that split, or remove it to have it held out of train",
            )
