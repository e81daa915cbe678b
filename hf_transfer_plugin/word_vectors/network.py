"""A table of word vectors, pooled over the words of a text, as a transformers model."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

__all__ = [
    "POOLINGS",
    "KnownWordPooling",
    "StaticEmbeddingsConfig",
    "StaticEmbeddingsForSequenceClassification",
    "StaticEmbeddingsModel",
]

POOLINGS = ("mean", "max", "mean_max")


class StaticEmbeddingsConfig(PreTrainedConfig):
    """Configuration of a network of static word embeddings.

    Args:
        vocab_size: rows of the table, padding and unknown word included.
        hidden_size: numbers of a word vector.
        pooling: "mean", "max" or "mean_max" (both, side by side) over the known words.
        embedding_std: standard deviation of a table that is drawn at random. That of the
            pretrained table makes a control from scratch differ in what the rows say alone.
        pad_token_id: row of the padding; always zero.
        unk_token_id: row of every unknown word; always zero and never pooled.

    Raises:
        ValueError: for another pooling.
    """

    model_type = "static_embeddings"

    def __init__(
        self,
        *,
        vocab_size: int = 2,
        hidden_size: int = 300,
        pooling: str = "mean",
        embedding_std: float = 0.02,
        pad_token_id: int = 0,
        unk_token_id: int = 1,
        **others: Any,
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r}, expected one of {', '.join(POOLINGS)}")
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.pooling = pooling
        self.embedding_std = embedding_std
        self.unk_token_id = unk_token_id
        super().__init__(**others)
        self.pad_token_id = pad_token_id

    @property
    def pooled_size(self) -> int:
        """Width of the vector of a text."""
        return self.hidden_size * (2 if self.pooling == "mean_max" else 1)


class KnownWordPooling(nn.Module):
    """Pool over the known words; a text without any gives zeros.

    Args:
        pooling: one of `POOLINGS`.
    """

    def __init__(self, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, embedded: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return [rows, width].

        Args:
            embedded: [rows, length, hidden size].
            known: [rows, length], true where a known word stands.
        """
        parts = []
        if self.pooling != "max":
            count = known.sum(1, keepdim=True).clamp(min=1)
            parts.append((embedded * known[:, :, None]).sum(1) / count)
        if self.pooling != "mean":
            parts.append(self._largest(embedded, known))
        return torch.cat(parts, -1)

    @staticmethod
    def _largest(embedded: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        if not embedded.shape[1]:
            return embedded.sum(1)
        lowest = torch.finfo(embedded.dtype).min
        largest = embedded.masked_fill(~known[:, :, None], lowest).amax(1)
        return torch.where(known.any(1, keepdim=True), largest, 0.0)


class _Base(PreTrainedModel):
    config_class = StaticEmbeddingsConfig
    base_model_prefix = "static"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            init.normal_(module.weight, mean=0.0, std=self.config.embedding_std)
            if not getattr(module.weight, "_is_hf_initialized", False):
                for row in (self.config.pad_token_id, self.config.unk_token_id):
                    init.zeros_(module.weight[row])
        else:
            super()._init_weights(module)


class StaticEmbeddingsModel(_Base):
    """Word vectors of a text and their pooled vector.

    Args:
        config: sizes and pooling.
    """

    def __init__(self, config: StaticEmbeddingsConfig) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.pooling = KnownWordPooling(config.pooling)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the table."""
        return self.embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the table."""
        assert isinstance(value, nn.Embedding)
        self.embeddings = value

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutputWithPooling:
        """Return the word vectors and their pooled vector.

        Args:
            input_ids: [rows, length].
            attention_mask: [rows, length], 0 at the padding.
            output_hidden_states: also return the word vectors as the only hidden state.

        Returns:
            `last_hidden_state` [rows, length, hidden size], `pooler_output` [rows, pooled size].
        """
        # A batch of empty texts is a tensor of no numbers, which torch makes of floats.
        input_ids = input_ids.long()
        known = (input_ids != self.config.pad_token_id) & (input_ids != self.config.unk_token_id)
        if attention_mask is not None:
            known &= attention_mask.bool()
        embedded = self.embeddings(input_ids)
        return BaseModelOutputWithPooling(
            last_hidden_state=embedded,
            pooler_output=self.pooling(embedded, known),
            hidden_states=(embedded,) if output_hidden_states else None,
        )


class StaticEmbeddingsForSequenceClassification(_Base):
    """A linear head on the pooled word vectors.

    Args:
        config: sizes, pooling and number of classes.
    """

    def __init__(self, config: StaticEmbeddingsConfig) -> None:
        super().__init__(config)
        self.static = StaticEmbeddingsModel(config)
        self.classifier = nn.Linear(config.pooled_size, len(config.id2label or {}))
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> SequenceClassifierOutput:
        """Return logits [rows, classes], and with labels the loss.

        Args:
            input_ids: [rows, length].
            attention_mask: [rows, length], 0 at the padding.
            labels: [rows], class of each text.
            output_hidden_states: also return the word vectors.
        """
        found = self.static(input_ids, attention_mask, output_hidden_states)
        logits = self.classifier(found.pooler_output)
        loss = None
        if labels is not None:
            loss = self.loss_function(labels=labels, pooled_logits=logits, config=self.config)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=found.hidden_states)
