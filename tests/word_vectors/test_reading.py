"""Every format gives the words and numbers that gensim wrote; what is wrong in a file is said."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hf_transfer_plugin import TransferError, static_embeddings
from hf_transfer_plugin.word_vectors.vector_files import read_vectors
from tests.word_vectors.vector_files import (
    DIMENSION,
    VECTORS,
    WORDS,
    write_fasttext,
    write_vectors,
)

FORMATS: dict[str, tuple[str, dict[str, Any], str, tuple[str, ...]]] = {
    "word2vec text": ("v.txt", {}, "text with a header", ("word2vec", "fasttext")),
    "word2vec binary": ("v.bin", {"binary": True}, "binary word2vec", ("word2vec",)),
    "glove": ("v.txt", {"header": False}, "text without a header", ("glove",)),
    "gzipped text": ("v.txt.gz", {}, "text with a header", ("word2vec", "fasttext")),
    "gzipped binary": ("v.bin.gz", {"binary": True}, "binary word2vec", ("word2vec",)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str, tmp_path: Path) -> None:
    file, options, form, kinds = FORMATS[name]
    path = write_vectors(tmp_path / file, **options)
    for kind in ("auto", *kinds):
        found = read_vectors(path, kind)  # type: ignore[arg-type]
        assert found.words == WORDS and found.form.startswith(form)
        assert np.array_equal(found.vectors, VECTORS) and found.vectors.dtype == np.float32
    for kind in {"word2vec", "glove", "fasttext"} - set(kinds):
        with pytest.raises(TransferError, match=f"and was called {kind}"):
            read_vectors(path, kind)  # type: ignore[arg-type]
    few = read_vectors(path, limit=2)
    assert few.words == WORDS[:2] and np.array_equal(few.vectors, VECTORS[:2])


def test_fasttext_model_gives_vectors_to_further_words(tmp_path: Path) -> None:
    model = write_fasttext(tmp_path / "model.bin")
    found = read_vectors(tmp_path / "model.bin")
    assert found.words == model.wv.index_to_key and found.form.startswith("fastText")
    assert np.allclose(found.vectors, model.wv.vectors)
    assert found.vector_of is not None and "films" not in found.words
    made = static_embeddings(tmp_path / "model.bin", texts=["Films the", "goodly films"])
    assert made.from_parts == 2 and made.coverage is not None
    assert made.coverage.known == made.coverage.tokens == 4
    (row,) = made.tokenizer("films")["input_ids"]
    vector = made.model.embeddings.weight[row].detach().numpy()
    assert np.allclose(vector, model.wv["films"], atol=1e-6) and np.abs(vector).max() > 0
    with pytest.raises(TransferError, match="and was called glove"):
        read_vectors(tmp_path / "model.bin", "glove")


def test_words_with_a_space_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "v.txt", header=False)
    row = " ".join(["0.5"] * DIMENSION)
    path.write_text(path.read_text("utf-8") + f"at name@domain.com {row}\n. . {row}\n", "utf-8")
    found = read_vectors(path)
    assert found.words == WORDS and found.spaced == 2


ROW = " ".join(["0.25"] * DIMENSION)


def _text(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text.encode()) and None


def _cut(keep: int, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        write_vectors(path, **options)
        path.write_bytes(path.read_bytes()[:keep])

    return write


def _changed(old: bytes, new: bytes, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        content = write_vectors(path, **options).read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return write


def _cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(f"a {ROW}\nb {ROW}\n".encode())[:-12])


def _cut_model(path: Path) -> None:
    write_fasttext(path)
    path.write_bytes(path.read_bytes()[:400])


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda path: None, "No such file"),
    "a folder": (lambda path: path.mkdir(), "Is a directory"),
    "empty": (_text(""), "is empty"),
    "no vectors": (_text("Once upon a time\nthere was a word\n"), "is neither text nor|line 1 is"),
    "header alone": (_text("2 60\n"), "ends after 0 words, and its header says 2"),
    "header of nothing": (_text("0 60\n"), "says that it holds 0 words"),
    "too few numbers": (_text(f"a {ROW}\nb 0.5 0.5\n"), "has 2 numbers in line 2, and the file 60"),
    "too many": (_text(f"a {ROW}\nb 1 {ROW}\n"), "has 61 numbers in line 2, and the file 60"),
    "no number": (_text(f"a {ROW}\nb {ROW[:-4]}oops\n"), "something else than a number in line 2"),
    "not a number": (_text(f"a {ROW}\nb {ROW[:-4]}nan\n"), "not finite: line 2, the word 'b'"),
    "infinite": (_text(f"a {ROW}\nb {ROW[:-4]}inf\n"), "not finite: line 2"),
    "twice": (_text(f"a {ROW}\nb {ROW}\na {ROW}\n"), "holds a word twice: line 3, the word 'a'"),
    "no word": (_text(f"a {ROW}\n {ROW}\n"), "has no word in line 2"),
    "a gap": (_text(f"a {ROW}\n\nb {ROW}\n"), "has nothing in line 2"),
    "header too low": (_changed(b"9 60", b"8 60"), "holds more than the 8 words"),
    "header too high": (_changed(b"9 60", b"99 60"), "ends after 9 words, and its header says 99"),
    "other dimension": (_changed(b"9 60", b"9 61"), "has 60 numbers in line 2, and the file 61"),
    "latin-1": (_changed("é".encode(), b"\xe9"), "is not UTF-8: line 6"),
    "latin-1, binary": (_changed("é".encode(), b"\xe9", binary=True), "is not UTF-8: word 5"),
    "reserved": (_text(f"a {ROW}\n[UNK] {ROW}\n"), r"one of the words is \[PAD\] or \[UNK\]"),
    "binary, cut": (_cut(900, binary=True), "ends after 3 words, and its header says 9"),
    "binary, too long": (_changed(b"9 60", b"8 60", binary=True), "holds more than the 8 words"),
    "binary, too high": (_changed(b"9 60", b"10 60", binary=True), "ends after 9 words"),
    "text, cut": (_cut(3000), "numbers in line 6, and the file 60"),
    "gzip, cut": (_cut_gzip, "is a damaged gzip file"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04" + b"0" * 50) and None, "is a zip archive"),
    "pickle": (lambda path: path.write_bytes(b"\x80\x04\x95" * 99) and None, "is neither text"),
    "fastText, cut": (_cut_model, "cannot be read by gensim"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_in_three_parts(name: str, tmp_path: Path) -> None:
    write, words = BAD[name]
    path = tmp_path / "vectors"
    write(path)
    with pytest.raises(TransferError, match=words) as caught:
        static_embeddings(path)
    error = caught.value
    assert error.expected and error.action
    assert str(path) in error.arrived or name == "reserved"


def test_options_that_do_not_exist(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "v.txt")
    with pytest.raises(TransferError, match="did you mean 'glove'"):
        read_vectors(path, "glov")  # type: ignore[arg-type]
    with pytest.raises(TransferError, match="limit=0"):
        read_vectors(path, limit=0)
    with pytest.raises(TransferError, match="pooling='sum'"):
        static_embeddings(path, pooling="sum")


def test_a_fasttext_model_without_gensim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fasttext(tmp_path / "model.bin")
    monkeypatch.setattr("hf_transfer_plugin.word_vectors.fasttext_model.find_spec", lambda _: None)
    with pytest.raises(TransferError, match="gensim is not installed") as caught:
        read_vectors(tmp_path / "model.bin")
    assert "pip install 'hf-transfer-plugin[vectors]'" in caught.value.action


def test_text_and_binary_need_no_gensim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_vectors(tmp_path / "v.bin", binary=True)
    monkeypatch.setitem(sys.modules, "gensim", None)
    assert read_vectors(path).words == WORDS
