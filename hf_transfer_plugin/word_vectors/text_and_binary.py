"""The entries of text files (word2vec, GloVe, fastText .vec) and of binary word2vec files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from hf_transfer_plugin.word_vectors.entries import Entry, Header, VectorFileError

__all__ = ["binary_entries", "text_entries"]

_LONGEST_LINE = 1 << 20
_LONGEST_WORD = 1 << 12
_CHUNK = 1 << 20


def text_entries(file: BinaryIO, header: Header) -> Iterator[Entry]:
    """Yield `word number number ...` of each line; a word may hold spaces.

    Args:
        file: at its start.
        header: as its first line gives it.

    Raises:
        VectorFileError: for a line of another length, and when the header's count is not true.
    """
    number = 0
    if header.count is not None:
        file.readline(_LONGEST_LINE)
        number = 1
    found = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        content = line.rstrip(b" \r\n")
        if not content:
            if file.read(1):
                raise VectorFileError(f"has nothing in line {number}")
            break
        found += 1
        if header.count is not None and found > header.count:
            raise VectorFileError(f"holds more than the {header.count} words that its header says")
        if len(line) == _LONGEST_LINE:
            raise VectorFileError(f"has a line of over {_LONGEST_LINE} bytes, number {number}")
        yield _of_line(content, header.dimension, number)
    if header.count is not None and found < header.count:
        raise VectorFileError(
            f"ends after {found} words, and its header says {header.count}: it is cut off"
        )


def _of_line(line: bytes, dimension: int, number: int) -> Entry:
    word, *fields = line.rsplit(b" ", dimension)
    # What ends a word of several parts may be one number too many.
    last = word.rpartition(b" ")[2]
    if len(fields) < dimension or (b" " in word and _is_number(last)):
        found = len(line.split(b" ")) - 1
        raise VectorFileError(f"has {found} numbers in line {number}, and the file {dimension}")
    try:
        vector = np.fromiter(map(float, fields), np.float32, dimension)
    except ValueError as error:
        raise VectorFileError(
            f"has something else than a number in line {number}: {error}"
        ) from None
    return Entry(("line", number), word, vector)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def binary_entries(file: BinaryIO, header: Header) -> Iterator[Entry]:
    """Yield the entries of a binary word2vec file: word, space, numbers, perhaps a line break.

    Args:
        file: at its start.
        header: as its first line gives it.

    Raises:
        VectorFileError: when it is cut off or longer than its header says.
    """
    file.readline(_LONGEST_LINE)
    size = 4 * header.dimension
    held, start = b"", 0
    for number in range(1, (header.count or 0) + 1):
        # A word and its numbers have to lie in what is held.
        while (space := held.find(b" ", start)) < 0 or len(held) < space + 1 + size:
            if space < 0 and len(held) - start > _LONGEST_WORD:
                raise VectorFileError(f"has no end of word {number}: it is no binary word2vec file")
            more = file.read(max(_CHUNK, size))
            if not more:
                raise VectorFileError(
                    f"ends after {number - 1} words, and its header says {header.count} of "
                    f"{header.dimension} numbers: it is cut off"
                )
            held, start = held[start:] + more, 0
        end = space + 1 + size
        vector = np.frombuffer(held, "<f4", header.dimension, space + 1)
        yield Entry(("word", number), held[start:space].lstrip(b"\n"), vector.astype(np.float32))
        start = end
    if (held[start:] + file.read(2)).strip(b"\n"):
        raise VectorFileError(f"holds more than the {header.count} words that its header says")
