"""A file of word vectors -> a checkpoint: network, tokenizer, and what they know of some texts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from hf_transfer_plugin.checkpoints import without_bars
from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.word_vectors.coverage import Coverage, coverage
from hf_transfer_plugin.word_vectors.network import (
    POOLINGS,
    StaticEmbeddingsConfig,
    StaticEmbeddingsModel,
)
from hf_transfer_plugin.word_vectors.tokenizer import (
    is_lower_case,
    token_counts,
    word_tokenizer,
)
from hf_transfer_plugin.word_vectors.vector_files import VectorFormat, WordVectors, read_vectors

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["StaticEmbeddings", "require_new", "static_embeddings"]


@dataclass(frozen=True)
class StaticEmbeddings:
    """A checkpoint of word vectors.

    Attributes:
        model: the table with its pooling; a classifier is loaded from its folder with
            `AutoModelForSequenceClassification`.
        tokenizer: of whole words.
        form: format of the file, in words.
        lowercase: whether text is brought into lower case.
        spaced: words left out because they hold a space.
        merged: words left out because in lower case a more frequent one is spelled alike.
        from_parts: words of the texts whose vector a fastText model made from their n-grams.
        coverage: of the texts; None without any.
    """

    model: StaticEmbeddingsModel
    tokenizer: PreTrainedTokenizerFast
    form: str
    lowercase: bool
    spaced: int
    merged: int
    from_parts: int
    coverage: Coverage | None

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write model and tokenizer into a new folder, whole or not at all.

        Raises:
            CheckpointError: when something is there already.
            RecordError: when it cannot be written.
        """
        target = Path(folder)
        require_new(target)

        def write(fresh: Path) -> None:
            with without_bars():
                self.model.save_pretrained(fresh)
            self.tokenizer.save_pretrained(fresh)

        keep_model(write, target)
        return target


def static_embeddings(
    file: str | os.PathLike[str],
    *,
    format: VectorFormat = "auto",
    limit: int | None = None,
    lowercase: bool | None = None,
    pooling: str = "mean",
    texts: Sequence[str] = (),
) -> StaticEmbeddings:
    """Make a checkpoint from word2vec (Mikolov et al. 2013), GloVe (2014) or fastText (2017).

    Args:
        file: text or binary, also gzipped.
        format: "word2vec", "glove" or "fasttext"; "auto" tells it from the content.
        limit: keep so many words from the start, which are the most frequent ones.
        lowercase: bring text into lower case; None does so when no word has an upper-case letter.
            Of words that are then spelled alike the first is kept.
        pooling: "mean", "max" or "mean_max" of the known words of a text.
        texts: of the target's train split: how much of them is known is measured, and a fastText
            .bin gives vectors to their other words from character n-grams.

    Raises:
        CheckpointError: for a file that cannot be read, or an option that does not exist.

    Examples:
        >>> made = static_embeddings("glove.6B.100d.txt", limit=100_000)  # doctest: +SKIP
        >>> made.save("glove-100")  # doctest: +SKIP
    """
    if pooling not in POOLINGS:
        raise CheckpointError(
            f"pooling={pooling!r}", f"one of {', '.join(POOLINGS)}", "correct the pooling"
        )
    found = read_vectors(Path(file), format, limit)
    lower = is_lower_case(found.words) if lowercase is None else lowercase
    words, vectors = found.words, found.vectors
    if lower:
        words, vectors = _first_of_alike(words, vectors)
    merged = len(found.words) - len(words)
    tokenizer = word_tokenizer(words, lowercase=lower)
    counts = token_counts(tokenizer, texts)
    more, more_vectors = _from_parts(found, counts, set(words))
    if more:
        words, vectors = words + more, np.concatenate([vectors, more_vectors])
        tokenizer = word_tokenizer(words, lowercase=lower)
    return StaticEmbeddings(
        model=_model(vectors, pooling),
        tokenizer=tokenizer,
        form=found.form,
        lowercase=lower,
        spaced=found.spaced,
        merged=merged,
        from_parts=len(more),
        coverage=coverage(counts, set(words)) if texts else None,
    )


def require_new(folder: Path) -> None:
    """Require that nothing would be overwritten.

    Raises:
        CheckpointError: when there is something at that place already.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CheckpointError(
            arrived=f"{folder} is there already",
            expected="a new folder, for nothing is overwritten",
            action="choose another folder, or remove it",
        )


def _first_of_alike(words: list[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    first: dict[str, int] = {}
    for index, word in enumerate(words):
        first.setdefault(word.lower(), index)
    if len(first) == len(words):
        return list(first), vectors
    return list(first), vectors[list(first.values())]


def _from_parts(
    found: WordVectors, counts: Iterable[Counter[str]], known: set[str]
) -> tuple[list[str], np.ndarray]:
    """Return further words of some texts with a vector from their n-grams, if the file can."""
    words, rows = [], []
    for word in dict.fromkeys(word for each in counts for word in each if word not in known):
        vector = found.vector_of(word) if found.vector_of else None
        if vector is not None:
            words.append(word)
            rows.append(vector)
    return words, np.array(rows, np.float32).reshape(len(rows), found.vectors.shape[1])


def _model(vectors: np.ndarray, pooling: str) -> StaticEmbeddingsModel:
    config = StaticEmbeddingsConfig(
        vocab_size=len(vectors) + 2,
        hidden_size=vectors.shape[1],
        pooling=pooling,
        embedding_std=float(vectors.std()) or 1.0,
    )
    table = torch.zeros(config.vocab_size, config.hidden_size)
    table[2:] = torch.from_numpy(vectors)
    with torch.device("meta"):
        model = StaticEmbeddingsModel(config)
    model.load_state_dict({"embeddings.weight": table}, assign=True)
    model.eval()
    return model
