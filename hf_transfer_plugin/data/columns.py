"""Which columns hold the text, the image and the label, and what the labels are called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import DataSpec, Task

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["as_images", "class_indices", "input_columns", "label_column"]

_LABEL_NAMES = ("label", "labels", "class", "target", "intent", "category")
_TEXT_NAMES = ("text", "sentence", "content", "question", "sentence1", "premise")


def label_column(spec: DataSpec, train: Dataset) -> str:
    """Find the label column: the one named, the only ClassLabel, or one with a usual name."""
    from datasets import ClassLabel

    if spec.label is not None:
        return _existing(spec.label, "data.label", train)
    typed = [name for name, kind in train.features.items() if isinstance(kind, ClassLabel)]
    if len(typed) == 1:
        return str(typed[0])
    usual = [name for name in _LABEL_NAMES if name in train.column_names]
    return usual[0] if usual else _no_column("label", "data.label", train)


def input_columns(spec: DataSpec, task: Task, train: Dataset) -> tuple[str, ...]:
    """Find the columns the model reads: an image, a text, or a pair of texts."""
    from datasets import Image

    if task == "image-classification":
        if spec.image is not None:
            return (_existing(spec.image, "data.image", train),)
        images = [name for name, kind in train.features.items() if isinstance(kind, Image)]
        return (images[0] if len(images) == 1 else _no_column("image", "data.image", train),)
    if spec.text is not None:
        first = _existing(spec.text, "data.text", train)
    else:
        label = label_column(spec, train)
        texts = [
            name
            for name, kind in train.features.items()
            if name != label and getattr(kind, "dtype", None) in ("string", "large_string")
        ]
        usual = [name for name in _TEXT_NAMES if name in texts]
        found = texts if len(texts) == 1 else usual
        first = found[0] if found else _no_column("text", "data.text", train)
    if spec.text_pair is None:
        return (first,)
    return (first, _existing(spec.text_pair, "data.text_pair", train))


def as_images(rows: Dataset, column: str) -> Dataset:
    """Return rows whose image column decodes; it may hold paths from the current folder.

    Raises:
        DataError: for a column that holds no images.
    """
    from datasets import Image
    from pyarrow import ArrowException

    try:
        return rows.cast_column(column, Image())
    except (ArrowException, TypeError, ValueError):
        raise DataError(
            arrived=f"the column {column!r} holds {_kind(rows.features[column])}",
            expected="images, or paths of image files",
            action="name the column of the images (data.image)",
        ) from None


def class_indices(
    spec: DataSpec, splits: DatasetDict, column: str
) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Return class names in label order, and the class index of every row of every split.

    Raises:
        DataError: for labels that are missing, hidden (-1) or not whole numbers or names.
    """
    from datasets import ClassLabel

    feature = splits[spec.train_split].features[column]
    values = {name: _checked(name, rows[column]) for name, rows in splits.items()}
    if isinstance(feature, ClassLabel):
        names = tuple(feature.names)
        return names, {name: [int(v) for v in rows] for name, rows in values.items()}
    known = sorted({value for rows in values.values() for value in rows}, key=_order)
    index = {value: position for position, value in enumerate(known)}
    names = tuple(str(value) for value in known)
    return names, {name: [index[v] for v in rows] for name, rows in values.items()}


def _order(value: int | str) -> tuple[bool, int | str]:
    return isinstance(value, str), value


def _checked(split: str, values: Sequence[Any]) -> list[int | str]:
    return [_label(split, row, value) for row, value in enumerate(values)]


def _label(split: str, row: int, value: Any) -> int | str:
    where = f"row {row} of {split}"
    whole = "a class name or a whole number from 0"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise DataError(f"{where} has no label", whole, "label the row or drop it")
    if isinstance(value, list | dict):
        raise DataError(
            arrived=f"{where} has several labels: {value!r}",
            expected=whole,
            action="give one class a row; multi-label data are not supported",
        )
    if isinstance(value, float) and not value.is_integer():
        raise DataError(
            arrived=f"{where} has the label {value!r}",
            expected=whole,
            action="name the label column (data.label); regression is not supported",
        )
    if isinstance(value, int | float):
        if value < 0:
            raise DataError(
                arrived=f"{where} has the label {int(value)}",
                expected=whole,
                action=f"correct the row; where {split} has hidden labels, name a split that has "
                "them (data.test_split)",
            )
        return int(value)
    return str(value)


def _existing(name: str, key: str, train: Dataset) -> str:
    return name if name in train.column_names else _no_column(repr(name), key, train)


def _no_column(what: str, key: str, train: Dataset) -> Any:
    """Raise for a column that does not exist, or that cannot be told from the others."""
    kinds = ", ".join(f"{name} ({_kind(kind)})" for name, kind in train.features.items())
    raise DataError(
        arrived=f"no {what} column among: {kinds}",
        expected="one column that can be told from the others, or its name",
        action=f"set {key} to the column's name",
    )


def _kind(feature: Any) -> str:
    return str(getattr(feature, "dtype", None) or type(feature).__name__)
