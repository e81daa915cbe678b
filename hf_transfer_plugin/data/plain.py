"""Features without any network: TF-IDF of words, or raw pixels. What transfer has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hf_transfer_plugin.data.loading import TargetData
from hf_transfer_plugin.errors import DataError
from hf_transfer_plugin.records import Task

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PLAIN_NAMES", "plain_features"]

PLAIN_NAMES: dict[Task, str] = {
    "text-classification": "tfidf-logistic",
    "image-classification": "pixels-logistic",
}
_SIDE = 32


def plain_features(
    data: TargetData, roles: Sequence[str] = ("train",), *, most_words: int | None = None
) -> dict[str, Any]:
    """Return role -> features [examples, words] (sparse) or [examples, 3072] (RGB, 32 x 32).

    The vocabulary (the `most_words` frequent ones) and its weights come from train alone.
    """
    if data.task == "image-classification":
        return {role: _pixels(data, role) for role in roles}
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=most_words)
    texts = {role: _texts(data, role) for role in {"train", *roles}}
    try:
        vectorizer.fit(texts["train"])
    except ValueError:
        raise DataError(
            arrived="the texts of train hold no word of two letters or more",
            expected="texts with words",
            action="name the text column (data.text)",
        ) from None
    return {role: vectorizer.transform(texts[role]) for role in roles}


def _texts(data: TargetData, role: str) -> list[str]:
    columns = (data.splits[role][name] for name in data.inputs)
    return [" ".join(parts) for parts in zip(*columns, strict=True)]


def _pixels(data: TargetData, role: str) -> np.ndarray:
    import numpy as np

    (column,) = data.inputs
    rows = (
        np.asarray(image.convert("RGB").resize((_SIDE, _SIDE)), dtype=np.float32).ravel() / 255
        for image in data.splits[role][column]
    )
    return np.stack(list(rows))
