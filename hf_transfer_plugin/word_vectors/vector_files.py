"""Files of word vectors: which format one has, and its words and numbers, checked."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast, get_args

from hf_transfer_plugin.errors import CheckpointError, did_you_mean
from hf_transfer_plugin.word_vectors.entries import Header, VectorFileError, gathered
from hf_transfer_plugin.word_vectors.text_and_binary import binary_entries, text_entries

if TYPE_CHECKING:
    import numpy as np

__all__ = ["VectorFormat", "WordVectors", "read_vectors"]

VectorFormat = Literal["auto", "word2vec", "glove", "fasttext"]
_Form = Literal["text", "headless", "binary", "model"]
_FORMS: dict[_Form, str] = {
    "text": "text with a header (word2vec, fastText .vec)",
    "headless": "text without a header (GloVe)",
    "binary": "binary word2vec",
    "model": "fastText model (.bin)",
}
_HEAD = 1 << 16
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_FASTTEXT = (793712314).to_bytes(4, "little")
_NUMERIC = frozenset(b"0123456789.-+eE \n")


@dataclass(frozen=True)
class WordVectors:
    """Words with a vector each, most frequent first, as the tools write them.

    Attributes:
        words: each once.
        vectors: [words, dimension] in float32.
        form: format of the file, in words.
        spaced: words that were left out because they hold a space: no tokenizer that splits at
            white space can find them.
        vector_of: makes the vector of a word that is not among them from its parts; None where
            the file cannot.
    """

    words: list[str]
    vectors: np.ndarray
    form: str
    spaced: int = 0
    vector_of: Callable[[str], np.ndarray | None] | None = None


def read_vectors(path: Path, kind: VectorFormat = "auto", limit: int | None = None) -> WordVectors:
    """Read word2vec (text and binary), GloVe, and fastText (.vec and .bin); also gzipped.

    Text and binary files are streamed: of what is behind the limit nothing is read, so nothing is
    checked. A fastText .bin is read whole, by gensim.

    Args:
        path: the file.
        kind: "auto" tells the format from the content, not from the name.
        limit: keep so many words from the start; None keeps all.

    Raises:
        CheckpointError: for a file that is missing, of another format, damaged or ambiguous.
    """
    if kind not in get_args(VectorFormat):
        raise CheckpointError(
            arrived=f"the format {kind!r}{did_you_mean(kind, get_args(VectorFormat))}",
            expected=f"one of {', '.join(get_args(VectorFormat))}",
            action="leave the format out: it is told from the content of the file",
        )
    if limit is not None and limit < 1:
        raise CheckpointError(f"limit={limit}", "1 or more words", "leave the limit out")
    with _explained(path):
        form, header = _format(path, kind)
        if form == "model":
            from hf_transfer_plugin.word_vectors.fasttext_model import read_model

            words, vectors, spaced, vector_of = read_model(path, limit)
            return WordVectors(words, vectors, _FORMS[form], spaced, vector_of)
        with _opened(path) as file:
            read = binary_entries if form == "binary" else text_entries
            words, vectors, spaced = gathered(read(file, header), header, limit)
            return WordVectors(words, vectors, _FORMS[form], spaced)


def _format(path: Path, kind: VectorFormat) -> tuple[_Form, Header]:
    """Return the form of a file and what its first line says."""
    with _opened(path) as file:
        head = file.read(_HEAD)
    if not head:
        raise VectorFileError("is empty")
    if head.startswith(_ZIP):
        raise VectorFileError("is a zip archive", action="unpack it, then name the file inside")
    if head.startswith(_FASTTEXT):
        _require(kind, ("auto", "fasttext"), "is a fastText model (.bin)")
        return "model", Header(None, 0)
    first, _, rest = head.partition(b"\n")
    sizes = re.fullmatch(rb"(\d{1,12}) (\d{1,12}) ?\r?", first)
    if sizes:
        header = Header(int(sizes[1]), int(sizes[2]))
        if not header.count or not header.dimension:
            raise VectorFileError(f"says that it holds {header.count} words of {header.dimension} "
                                  "numbers")  # fmt: skip
        form: _Form = "text" if _is_text(rest) else "binary"
        _require(kind, ("auto", "word2vec", "fasttext"), "begins with a header, number and size")
        if form == "binary":
            _require(kind, ("auto", "word2vec"), "is a binary word2vec file")
        return form, header
    if not _is_text(head):
        raise VectorFileError("is neither text nor a binary word2vec file with a header")
    _require(kind, ("auto", "glove"), "has no header, number and size, in its first line")
    return "headless", Header(None, _numbers_in(first))


def _is_text(sample: bytes) -> bool:
    """Tell numbers in letters from numbers in bytes: four of those in five are no digits."""
    sample = sample[:1024]
    return 2 * sum(byte in _NUMERIC for byte in sample) > len(sample) or not sample


def _numbers_in(line: bytes) -> int:
    """Return how many numbers follow the word of a line; a word may be a number too."""
    fields = line.rstrip(b" \r").split(b" ")
    count = 0
    for field in reversed(fields[1:]):
        try:
            float(field)
        except ValueError:
            break
        count += 1
    if count < 2:
        raise VectorFileError("line 1 is neither a header nor a word with its numbers")
    return count


def _require(kind: str, fitting: tuple[str, ...], found: str) -> None:
    if kind not in fitting:
        raise VectorFileError(f"{found}, and was called {kind}", action="leave the format out")


def _opened(path: Path) -> BinaryIO:
    file = path.open("rb")
    zipped = file.read(2) == _GZIP
    file.seek(0)
    if not zipped:
        return file
    file.close()
    return cast(BinaryIO, gzip.open(path, "rb"))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong in a file into one clear error that names it."""
    try:
        yield
    except VectorFileError as error:
        raise CheckpointError(
            arrived=f"{path} {error}", expected=error.expected, action=error.action
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CheckpointError(
            arrived=f"{path} is a damaged gzip file: {error}",
            expected="a whole file",
            action="download it again",
        ) from None
    except OSError as error:
        raise CheckpointError(
            arrived=f"cannot read {path}: {error.strerror or error}",
            expected="a file of word vectors",
            action="correct the path (it is read from the current folder)",
        ) from None
