"""One entry of the cache on disk: which files it has, and what describes it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from hf_transfer_plugin.errors import RecordError
from hf_transfer_plugin.serialization import Record

__all__ = [
    "CHUNK_ROWS",
    "FORMAT",
    "LENGTHS",
    "LOCK",
    "USED",
    "ArraySpec",
    "EntryMeta",
    "data_name",
    "entry_name",
    "is_entry_name",
    "is_own_file",
    "meta_or_none",
]

CHUNK_ROWS = 256
FORMAT = 1  # part of each name: entries of another format are other entries
LENGTHS = "lengths.npy"
LOCK = "lock"
USED = "used"  # its time of change is when the entry was last opened
_NAME = re.compile(r"[0-9a-f]{20}")
_ARRAY_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_OWN = re.compile(r"meta\.json|\.meta\.json\..*|lengths\.npy|\.lengths\.npy\..*|lock|used")
_ROWS = re.compile(r"journal\.\d+|\w[\w.-]*\.bin", re.ASCII)
_ITEM_BYTES = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
}


@dataclass(frozen=True)
class ArraySpec:
    """One array of an entry.

    Args:
        name: file-name safe.
        dtype: as torch names it, such as "float32".
        shape: of one row; None stands for the length of the row, and may stand more than once.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if not _ARRAY_NAME.fullmatch(self.name):
            raise ValueError(f"an array cannot be called {self.name!r}: letters, digits, _ . -")
        if self.dtype not in _ITEM_BYTES:
            raise ValueError(f"arrays of {self.dtype}; known are {', '.join(_ITEM_BYTES)}")
        if any(size is not None and size < 1 for size in self.shape):
            raise ValueError(f"array {self.name} of shape {self.shape}")

    @property
    def unit(self) -> int:
        """Bytes of a row of length 1."""
        return _ITEM_BYTES[self.dtype] * math.prod(size for size in self.shape if size is not None)

    @property
    def ragged(self) -> int:
        """How many dimensions are as long as the row."""
        return self.shape.count(None)

    def row_shape(self, length: int) -> tuple[int, ...]:
        """Return the shape of a row of this length."""
        return tuple(length if size is None else size for size in self.shape)


@dataclass(frozen=True)
class EntryMeta(Record):
    """What an entry holds, for people and for the listing.

    Args:
        format: version of the files.
        key: what the rows depend on, readable.
        note: what `hf-tl cache` shows.
        arrays: the arrays.
        rows: how many.
        lengths: digest of the lengths of the rows; empty when they have none.
        bytes: size of all data files.
    """

    file_name: ClassVar[str] = "meta.json"

    format: int
    key: dict[str, str]
    note: dict[str, str]
    arrays: tuple[ArraySpec, ...]
    rows: int
    lengths: str
    bytes: int

    @property
    def chunks(self) -> int:
        """How many chunks the rows make."""
        return -(-self.rows // CHUNK_ROWS)


def entry_name(key: Mapping[str, str], arrays: Sequence[ArraySpec], rows: int, lengths: str) -> str:
    """Return the folder name of an entry: a digest of all that its bytes depend on."""
    content = {
        "format": FORMAT,
        "key": dict(key),
        "arrays": [asdict(each) for each in arrays],
        "rows": rows,
        "lengths": lengths,
    }
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:20]


def is_entry_name(name: str) -> bool:
    """Tell whether a folder of the cache can be an entry."""
    return _NAME.fullmatch(name) is not None


def is_own_file(name: str) -> bool:
    """Tell whether a file inside an entry was written by this package."""
    return (_OWN.fullmatch(name) or _ROWS.fullmatch(name)) is not None


def data_name(array: ArraySpec) -> str:
    """Return the name of the data file of an array."""
    return f"{array.name}.bin"


def meta_or_none(folder: Path) -> EntryMeta | None:
    """Read what describes an entry; None when that is damaged or of another version."""
    try:
        return EntryMeta.load(folder / EntryMeta.file_name)
    except (RecordError, RecursionError, ValueError):
        return None
