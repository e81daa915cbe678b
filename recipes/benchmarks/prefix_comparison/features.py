"""Features once, then scikit-learn's logistic regression on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measured.process import peak_mib
from schedule_comparison.inputs import MAX_LENGTH
from sklearn.linear_model import LogisticRegression
from torch.utils.data import DataLoader

from prefix_comparison.bench import Bench

__all__ = ["fit_features"]

Features = tuple[Any, Any]


def fit_features(bench: Bench) -> dict[str, Any]:
    """Fit on sentence-transformers' embeddings of texts, or on a timm network's of images."""
    of = _image_features(bench) if bench.images else _text_features(bench)
    began = time.perf_counter()
    features, labels = of("train")
    classifier = LogisticRegression(max_iter=1000).fit(features, labels)
    result = {"seconds": time.perf_counter() - began, "peak_mib": peak_mib()}
    return result | {"accuracy": float(classifier.score(*of("test")))}


def _text_features(bench: Bench) -> Callable[[str], Features]:
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(bench.checkpoint.path, device="cpu")
    encoder.max_seq_length = MAX_LENGTH

    def of(role: str) -> Features:
        texts, labels = bench.texts(role)
        size = bench.run.batch_size
        return encoder.encode(texts, batch_size=size, show_progress_bar=False), labels

    return of


def _image_features(bench: Bench) -> Callable[[str], Features]:
    network = bench.model().timm_model.eval()

    def of(role: str) -> Features:
        rows = bench.train if role == "train" else bench.test
        size = bench.run.batch_size
        features, labels = [], []
        with torch.inference_mode():
            for batch in DataLoader(rows, batch_size=size, collate_fn=bench.prepared.collate):
                maps = network.forward_features(batch["pixel_values"])
                features.append(network.forward_head(maps, pre_logits=True).numpy())
                labels.append(batch["labels"].numpy())
        return np.concatenate(features), np.concatenate(labels)

    return of
