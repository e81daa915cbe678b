"""The plain convolutional networks of the first rungs, as transformers models.

Convolutions of 3 x 3 without padding, each with ReLU and a pool of 2 x 2, then dense layers with
ReLU: the two networks of the article, for images of any size. A folder with config.json alone
names one; `AutoModelForImageClassification` knows it once this module was imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import initialization as init
from transformers.modeling_outputs import (
    BaseModelOutputWithPooling,
    ImageClassifierOutputWithNoAttention,
)

__all__ = ["PlainCnnConfig", "PlainCnnForImageClassification", "PlainCnnModel"]


class PlainCnnConfig(PreTrainedConfig):
    """Configuration of a plain convolutional network.

    Args:
        image_size: pixels of the (square) input.
        channels: of each convolution, input to head.
        dense: width of each dense layer before the head.
        dropout: share of the numbers before each dense layer and the head that is dropped.
    """

    model_type = "plain_cnn"

    def __init__(
        self,
        *,
        image_size: int = 64,
        channels: Sequence[int] = (16, 64, 128),
        dense: Sequence[int] = (512,),
        dropout: float = 0.0,
        **others: Any,
    ) -> None:
        self.image_size = image_size
        self.channels = list(channels)
        self.dense = list(dense)
        self.dropout = dropout
        super().__init__(**others)

    @property
    def flat_size(self) -> int:
        """Return how many numbers the last pool gives for one image."""
        side = self.image_size
        for _ in self.channels:
            side = (side - 2) // 2
        return side * side * self.channels[-1]


class _Base(PreTrainedModel):
    config_class = PlainCnnConfig
    base_model_prefix = "cnn"
    main_input_name = "pixel_values"

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Draw as Keras does (Glorot & Bengio 2010), with which the article trained."""
        if isinstance(module, nn.Conv2d | nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)


class PlainCnnModel(_Base):
    """The network without its head.

    Args:
        config: sizes.
    """

    def __init__(self, config: PlainCnnConfig) -> None:
        super().__init__(config)
        sides = [3, *config.channels]
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3), nn.ReLU(), nn.MaxPool2d(2))
            for before, after in zip(sides, sides[1:], strict=False)
        )
        widths = [config.flat_size, *config.dense]
        self.dense = nn.ModuleList(
            nn.Sequential(nn.Dropout(config.dropout), nn.Linear(before, after), nn.ReLU())
            for before, after in zip(widths, widths[1:], strict=False)
        )
        self.post_init()

    def forward(
        self, pixel_values: torch.Tensor, output_hidden_states: bool | None = None
    ) -> BaseModelOutputWithPooling:
        """Return what the convolutions and the dense layers give.

        Args:
            pixel_values: [images, 3, size, size].
            output_hidden_states: also return what each convolution gives.

        Returns:
            `last_hidden_state` [images, channels, side, side], `pooler_output` [images, width].
        """
        states = [pixel_values]
        for convolution in self.convolutions:
            states.append(convolution(states[-1]))
        pooled = states[-1].flatten(1)
        for layer in self.dense:
            pooled = layer(pooled)
        return BaseModelOutputWithPooling(
            last_hidden_state=states[-1],
            pooler_output=pooled,
            hidden_states=tuple(states) if output_hidden_states else None,
        )


class PlainCnnForImageClassification(_Base):
    """The network with a linear head.

    Args:
        config: sizes and number of classes.
    """

    def __init__(self, config: PlainCnnConfig) -> None:
        super().__init__(config)
        self.cnn = PlainCnnModel(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.dense[-1], len(config.id2label or {}))
        self.post_init()

    def forward(
        self,
        pixel_values: torch.Tensor,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> ImageClassifierOutputWithNoAttention:
        """Return logits [images, classes], and with labels the loss.

        Args:
            pixel_values: [images, 3, size, size].
            labels: [images], class of each image.
            output_hidden_states: also return what each convolution gives.
        """
        found = self.cnn(pixel_values, output_hidden_states)
        logits = self.classifier(self.dropout(found.pooler_output))
        loss = None
        if labels is not None:
            loss = self.loss_function(labels, logits, self.config)
        return ImageClassifierOutputWithNoAttention(
            loss=loss, logits=logits, hidden_states=found.hidden_states
        )


AutoConfig.register(PlainCnnConfig.model_type, PlainCnnConfig, exist_ok=True)
AutoModel.register(PlainCnnConfig, PlainCnnModel, exist_ok=True)
AutoModelForImageClassification.register(
    PlainCnnConfig, PlainCnnForImageClassification, exist_ok=True
)
