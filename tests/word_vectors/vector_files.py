"""Small files of word vectors, written by gensim, and what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import save_facebook_model

__all__ = ["DIMENSION", "VECTORS", "WORDS", "write_fasttext", "write_vectors"]

DIMENSION = 60
WORDS = ["film", "the", "good", "bad", "é", "...", "3", "n't", "'s"]
VECTORS = np.random.default_rng(0).normal(0, 0.4, (len(WORDS), DIMENSION)).astype(np.float32)


def write_vectors(path: Path, *, binary: bool = False, header: bool = True) -> Path:
    """Write `WORDS` and `VECTORS`; gensim compresses what ends in .gz."""
    model = KeyedVectors(DIMENSION)
    model.add_vectors(WORDS, VECTORS)
    model.save_word2vec_format(str(path), binary=binary, write_header=header, sort_attr="count")
    return path


def write_fasttext(path: Path) -> FastText:
    """Write a fastText model of a few sentences, and return it."""
    sentences = [["the", "film", "was", "good"], ["a", "bad", "film"]] * 5
    model = FastText(
        sentences, vector_size=DIMENSION, min_count=1, epochs=1, bucket=50, workers=1, seed=0
    )
    save_facebook_model(model, str(path))
    return model
