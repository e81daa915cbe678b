"""What every file of word vectors holds, one word after another, and the checks of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Entry", "Header", "VectorFileError", "gathered"]

_EXPECTED = "word vectors of word2vec (text or binary), GloVe or fastText, in UTF-8"


class VectorFileError(ValueError):
    """What is wrong in a file, without its name.

    Args:
        found: goes on after the name of the file.
        expected: what would have been right.
        action: what to do next.
    """

    def __init__(
        self, found: str, *, expected: str = _EXPECTED, action: str = "download or write it again"
    ) -> None:
        super().__init__(found)
        self.expected = expected
        self.action = action


@dataclass(frozen=True)
class Header:
    """What a file says of itself: number of words (None: nothing) and numbers of each."""

    count: int | None
    dimension: int


class Entry(NamedTuple):
    """A word as it stands in the file.

    Attributes:
        place: where, such as "line" and 17.
        word: its bytes.
        vector: [dimension] in float32.
    """

    place: tuple[str, int]
    word: bytes
    vector: np.ndarray


def gathered(
    entries: Iterable[Entry], header: Header, limit: int | None
) -> tuple[list[str], np.ndarray, int]:
    """Return words, vectors [words, dimension] and the number of words left out for a space.

    Args:
        entries: of the file, read as far as the limit.
        header: gives the dimension.
        limit: number of words to keep.

    Raises:
        VectorFileError: for a word that is empty, not UTF-8 or there already, and for a number
            that is not finite.
    """
    words: dict[str, None] = {}
    # Grows in place; a list of rows would take the memory twice.
    numbers = array("f")
    spaced = 0
    for (unit, number), word, vector in entries:
        try:
            name = word.decode("utf-8")
        except UnicodeDecodeError:
            raise VectorFileError(
                f"is not UTF-8: {unit} {number}, {word!r:.60}",
                action="convert it, for example with iconv -f latin1 -t utf-8",
            ) from None
        where = f"{unit} {number}, the word {name!r:.60}"
        if not name:
            raise VectorFileError(f"has no word in {unit} {number}")
        if name in words:
            raise VectorFileError(f"holds a word twice: {where}", action="remove the second one")
        if not np.isfinite(vector).all():
            raise VectorFileError(f"holds a number that is not finite: {where}")
        if " " in name:
            spaced += 1
            continue
        words[name] = None
        numbers.frombytes(vector.tobytes())
        if len(words) == limit:
            break
    if not words:
        raise VectorFileError("holds no word without a space")
    table = np.frombuffer(numbers, dtype=np.float32).reshape(len(words), header.dimension)
    return list(words), table, spaced
