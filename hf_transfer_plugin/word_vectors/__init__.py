"""Static word embeddings (word2vec, GloVe, fastText) as transformers models.

Importing this package registers the architecture, so that `AutoModel`,
`AutoModelForSequenceClassification` and `pipeline` load such a folder or Hub repository.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from hf_transfer_plugin.word_vectors.network import (
    StaticEmbeddingsConfig,
    StaticEmbeddingsForSequenceClassification,
    StaticEmbeddingsModel,
)

__all__ = [
    "StaticEmbeddingsConfig",
    "StaticEmbeddingsForSequenceClassification",
    "StaticEmbeddingsModel",
]

AutoConfig.register(StaticEmbeddingsConfig.model_type, StaticEmbeddingsConfig, exist_ok=True)
AutoModel.register(StaticEmbeddingsConfig, StaticEmbeddingsModel, exist_ok=True)
AutoModelForSequenceClassification.register(
    StaticEmbeddingsConfig, StaticEmbeddingsForSequenceClassification, exist_ok=True
)
