"""A fastText model (.bin): its words, and vectors of further words from their character n-grams."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.word_vectors.entries import Entry, Header, VectorFileError, gathered

__all__ = ["read_model"]


def read_model(
    path: Path, limit: int | None
) -> tuple[list[str], np.ndarray, int, Callable[[str], np.ndarray | None]]:
    """Return words, vectors, the number of words left out for a space, and the n-gram rule.

    Bojanowski et al., "Enriching Word Vectors with Subword Information", 2017.

    Args:
        path: the model, read whole into memory by gensim.
        limit: number of words to keep.

    Raises:
        CheckpointError: when gensim is not installed.
        VectorFileError: when the file is damaged.
    """
    if find_spec("gensim") is None:
        raise CheckpointError(
            arrived=f"{path} is a fastText model (.bin), and gensim is not installed",
            expected="gensim, which reads such models",
            action="pip install 'hf-transfer-plugin[vectors]', or name the .vec file beside it",
        )
    from gensim.models.fasttext import load_facebook_vectors

    logging.getLogger("gensim").setLevel(logging.ERROR)
    try:
        model = load_facebook_vectors(str(path))
    except OSError:
        raise
    # A file that is cut off fails wherever gensim happens to be.
    except Exception as error:
        raise VectorFileError(f"cannot be read by gensim: {' '.join(str(error).split())}") from None
    entries = (
        Entry(("word", number), word.encode(), vector)
        for number, (word, vector) in enumerate(
            zip(model.index_to_key, model.vectors, strict=True), 1
        )
    )
    words, vectors, spaced = gathered(entries, Header(None, model.vector_size), limit)

    def vector_of(word: str) -> np.ndarray | None:
        try:
            return np.asarray(model.get_vector(word), np.float32)
        except KeyError:
            return None  # no n-gram of it

    return words, vectors, spaced, vector_of
