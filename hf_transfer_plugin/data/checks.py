"""What must hold before anything trains, found in one pass over the rows that are used."""

from __future__ import annotations

import hashlib
import io
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import Task
from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["check_classes", "check_rows", "untested"]


def check_classes(labels: Mapping[str, Sequence[int]], names: Sequence[str]) -> tuple[str, ...]:
    """Check the classes of the three splits; return warnings.

    Args:
        labels: role -> class index of each row.
        names: class names in label order.

    Raises:
        DataError: for an empty split, one class only, or a class that a split lacks.
    """
    for role, classes in labels.items():
        if not classes:
            raise DataError(
                arrived=f"the split {role} is empty",
                expected="at least one row of each class",
                action="check the file of that split, or leave it out to have it held out of train",
            )
    present = {role: set(classes) for role, classes in labels.items()}
    if len(present["train"]) < 2:
        only = ", ".join(names[index] for index in present["train"])
        raise DataError(
            arrived=f"train holds one class only: {only}",
            expected="at least two classes",
            action="check data.label; add rows of the other classes",
        )
    _require(names, set().union(*present.values()), present["train"], "train")
    _require(names, present["train"], present["validation"], "validation")
    return untested(names, present["train"] - present["test"])


def untested(names: Sequence[str], missing: set[int]) -> tuple[str, ...]:
    """Return a warning for classes without a test row, if there are any.

    Args:
        names: class names in label order.
        missing: numbers of these classes.
    """
    if not missing:
        return ()
    named = _listed(names[index] for index in sorted(missing))
    return (f"test has no example of {named}: nothing is said about these classes",)


def _require(names: Sequence[str], wanted: set[int], found: set[int], role: str) -> None:
    missing = sorted(wanted - found)
    if missing:
        raise DataError(
            arrived=f"{role} has no example of {_listed(names[index] for index in missing)}",
            expected=f"each class of the data in {role}",
            action=f"move some rows to {role}, or drop these classes from the other splits; if "
            "these are no classes, name the label column (data.label)",
        )


def _listed(names: Any, most: int = 5) -> str:
    every = [repr(name) for name in names]
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def check_rows(
    splits: DatasetDict, task: Task, columns: Sequence[str], labels: Mapping[str, Sequence[int]]
) -> tuple[str, tuple[str, ...]]:
    """Read every row once: texts must be texts, images must decode.

    Returns:
        A fingerprint of the rows, and warnings (test rows that stand in train too).

    Raises:
        DataError: naming the row that cannot be read.
    """
    whole = hashlib.sha256()
    seen: dict[str, Counter[bytes]] = {}
    for role, rows in splits.items():
        read = _image_bytes if task == "image-classification" else _text_bytes
        raw = _undecoded(rows, columns[0]) if task == "image-classification" else rows
        digests: Counter[bytes] = Counter()
        for number, row in enumerate(track(raw, f"checking {role}")):
            content = hashlib.sha256()
            for column in columns:
                content.update(read(row[column], f"row {number} of {role} ({column})") + b"\0")
            digests[content.digest()] += 1
            whole.update(content.digest() + labels[role][number].to_bytes(8, "little", signed=True))
        seen[role] = digests
    leaked = sum(count for digest, count in seen["test"].items() if digest in seen["train"])
    warnings = (f"{leaked} test rows stand in train too",) if leaked else ()
    return whole.hexdigest()[:16], warnings


def _undecoded(rows: Dataset, column: str) -> Dataset:
    from datasets import Image

    return rows.cast_column(column, Image(decode=False))


def _text_bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, str):
        found = "nothing" if value is None else reprlib.repr(value)
        raise DataError(
            arrived=f"{where} holds {found}",
            expected="a text",
            action="fill or drop the row, or name another column (data.text)",
        )
    return value.encode("utf-8", "surrogatepass")


def _image_bytes(value: Any, where: str) -> bytes:
    from pathlib import Path

    from PIL import Image, UnidentifiedImageError

    where = f"{where}: {value['path']}" if value and value.get("path") else where
    try:
        content: bytes = value["bytes"] or Path(value["path"]).read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except (OSError, SyntaxError, TypeError, UnidentifiedImageError) as error:
        reason = str(error).split(":")[0] if value else "no image"
        if isinstance(error, UnidentifiedImageError):
            reason = "the content is no image"
        raise DataError(
            arrived=f"broken image at {where} ({reason})",
            expected="an image file that opens whole",
            action="replace or delete the file",
        ) from None
    return content
