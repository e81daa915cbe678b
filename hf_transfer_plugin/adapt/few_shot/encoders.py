"""Encoders: a checkpoint to one vector for each text or image, and rows to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.terminal import track

__all__ = ["Encoder", "ImageEncoder", "TextEncoder", "best_device", "embed"]

_BATCH = 64


class Encoder(nn.Module):
    """A network that gives one vector for each row.

    Args:
        network: a model of transformers.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> Encoder:
        """Switch dropout; batch norms keep the statistics of the source, batches being small."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self


class TextEncoder(Encoder):
    """The mean over the tokens of the last hidden state (Reimers and Gurevych, 2019).

    Args:
        network: as `AutoModel` loads it.
    """

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return [rows, width] for the inputs of a tokenizer."""
        states: torch.Tensor = self.network(**inputs).last_hidden_state
        mask = inputs["attention_mask"][:, :, None].to(states.dtype)
        # A tokenizer without special tokens makes nothing of an empty text.
        return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


class ImageEncoder(Encoder):
    """What the classifier's last linear layer reads: the pooled features.

    Args:
        network: as `AutoModelForImageClassification` loads it.

    Raises:
        CheckpointError: when the network does not end in a linear layer.
    """

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        linear = [each for each in network.modules() if isinstance(each, nn.Linear)]
        if not linear or linear[-1].out_features != network.config.num_labels:
            raise CheckpointError(
                arrived=f"{type(network).__name__} does not end in a linear layer",
                expected="an image classifier whose head is one linear layer",
                action="choose another checkpoint",
            )
        # Kept in a list, or it would count as a second part of this module.
        self._head = [linear[-1]]

    @property
    def head(self) -> nn.Linear:
        """Return the last linear layer, [classes, width]."""
        return self._head[0]

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return [rows, width] for [rows, channels, height, width]."""
        read: list[torch.Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        try:
            self.network(pixel_values=pixel_values)
        finally:
            hook.remove()
        return read[0]


def best_device() -> torch.device:
    """Return the accelerator, or the processor where there is none."""
    found = None if cpu_only() else torch.accelerator.current_accelerator()
    return found or torch.device("cpu")


def embed(
    encoder: Encoder,
    rows: Sequence[Any],
    collate: Callable[[list[Any]], dict[str, Any]],
    *,
    note: str = "features",
) -> NDArray[np.float32]:
    """Return the vector of each row, [rows, width], without dropout.

    Texts of like length share a batch, so that little is padded.

    Args:
        encoder: the network.
        rows: in the form that the checkpoint reads; those of texts hold "input_ids".
        collate: list of rows -> batch.
        note: name of the bar.
    """
    device = next(encoder.parameters()).device
    encoder.eval()
    order = list(range(len(rows)))
    if isinstance(encoder, TextEncoder):
        order.sort(key=[-len(row["input_ids"]) for row in rows].__getitem__)
    found: list[torch.Tensor] = []
    starts = range(0, len(order), _BATCH)
    with torch.inference_mode():
        for start in track(starts, note):
            batch = collate([rows[row] for row in order[start : start + _BATCH]])
            inputs = {key: value.to(device) for key, value in batch.items() if key != "labels"}
            found.append(encoder(**inputs).float().cpu())
    table = torch.cat(found).numpy()
    vectors = np.empty_like(table)
    vectors[order] = table
    return vectors
