"""A digest of Arrow content: the same for the same rows, however they are stored."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["digest_dataset"]

_READ = 1000


class _Digest(Protocol):
    def update(self, data: Any, /) -> None:
        """Take more bytes in."""


def digest_dataset(digest: _Digest, dataset: Dataset) -> None:
    """Take in the columns that items show, row by row in order, in constant memory."""
    shown = dataset.format
    columns = dataset.column_names if shown["output_all_columns"] else shown["columns"]
    names = sorted(columns)
    # Selecting columns would copy the transform, which may hold what cannot be copied.
    table = copy.copy(dataset)
    table.set_format("arrow", columns=names)
    _tag(digest, "rows", len(table), *names)
    for name in names:
        if hasattr(table.features[name], "decode_example"):
            _tag(digest, name, repr(table.features[name]))
    starts = range(0, len(table), _READ)
    for start in track(starts, "Fingerprint of the data") if len(starts) > 20 else starts:
        part = table[start : start + _READ]
        for name in names:
            column = part[name]
            # Unlike combine_chunks, this gives one array for any number of chunks.
            _update(digest, _one(column))


def _one(column: Any) -> Any:
    import pyarrow as pa

    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _tag(digest: _Digest, *words: object) -> None:
    """Take in words so that none can run into the next."""
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)


def _update(digest: _Digest, array: Any) -> None:
    """Take in an array: which entries are there, then their values alone."""
    import pyarrow as pa

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    _tag(digest, len(array), array.null_count)
    if array.null_count:
        digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes())
        array = array.drop_null()
    kind = array.type
    if pa.types.is_null(kind):
        return
    if pa.types.is_struct(kind):
        _update_struct(digest, array)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed_list(kind):
        _update_lengths(digest, array, "list")
        _update(digest, array.flatten())
    elif _is_text(kind):
        _update_bytes(digest, array)
    elif pa.types.is_boolean(kind):
        _tag(digest, "bool", np.packbits(array.to_numpy(zero_copy_only=False)).tobytes())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        _update_numbers(digest, array.to_numpy(zero_copy_only=False))
    elif pa.types.is_temporal(kind) and kind.bit_width in (32, 64):
        _tag(digest, kind)
        _update_numbers(digest, array.view(pa.int32() if kind.bit_width == 32 else pa.int64()))
    else:
        _tag(digest, kind, repr(array.to_pylist()))


def _is_fixed_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_list(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    kinds = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    return kind in kinds


def _update_numbers(digest: _Digest, numbers: Any) -> None:
    values = np.ascontiguousarray(numbers)
    _tag(digest, values.dtype.str)
    digest.update(values.view(np.uint8).data)


def _update_lengths(digest: _Digest, array: Any, kind: str) -> None:
    import pyarrow.compute as pc

    counts = pc.list_value_length(array) if kind == "list" else pc.binary_length(array)
    _tag(digest, kind)
    digest.update(counts.to_numpy(zero_copy_only=False).astype("<i8").tobytes())


def _update_bytes(digest: _Digest, array: Any) -> None:
    import pyarrow as pa

    _update_lengths(digest, array, "bytes")
    if len(array):
        array = array.cast(pa.large_binary())
        _, places, data = array.buffers()
        ends = np.frombuffer(places, "<i8")[[array.offset, array.offset + len(array)]]
        if data is not None:
            digest.update(memoryview(data)[ends[0] : ends[1]])


def _update_struct(digest: _Digest, array: Any) -> None:
    names = [field.name for field in array.type]
    if set(names) != {"bytes", "path"}:
        _tag(digest, "struct", *names)
        for child in array.flatten():
            _update(digest, child)
        return
    # An image or a sound: its bytes, or the file that its path names.
    stored, paths = (array.flatten()[names.index(name)] for name in ("bytes", "path"))
    _tag(digest, "file")
    _update(digest, stored)
    if stored.null_count:
        for path in paths.filter(stored.is_null()).to_pylist():
            _tag(digest, path, *_stamp(path))


def _stamp(path: str | None) -> tuple[int, ...]:
    """Return size and time of change of a file; nothing for what is no local file."""
    try:
        status = os.stat(path or "")
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns
