"""Pooled features of a checkpoint, in one forward pass over the rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.errors import CacheSpaceError, CheckpointError, RecordError
from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    import numpy as np
    import torch

    from hf_transfer_plugin.prefix.row_source import RowSource

__all__ = ["pooled_features"]

_BATCH = 32
logger = logging.getLogger(__name__)
Pool = Callable[[dict[str, Any]], "torch.Tensor"]


def pooled_features(
    checkpoint: Checkpoint,
    data: TargetData,
    prepared: Prepared,
    rows: Sequence[int],
    *,
    weights: Literal["pretrained", "random"] = "pretrained",
    seed: int = 0,
) -> tuple[np.ndarray, int]:
    """Return features [examples, width] of rows of train, and the number of weights.

    Texts: mean over tokens, then over all hidden layers. Images: mean over positions of the last
    feature map (the network's own pooling for timm). They are kept in the cache of frozen layers
    (`hf-tl cache`) and not computed again for the same weights and rows.

    Args:
        checkpoint: what to run.
        data: checked data.
        prepared: its train split, in the form the checkpoint reads.
        rows: row numbers of train.
        weights: "random" draws them with `seed`.
        seed: seed of random weights.
    """
    import torch

    from hf_transfer_plugin.prefix.determinism import NotCacheable
    from hf_transfer_plugin.prefix.pooled_rows import kept_rows
    from hf_transfer_plugin.prefix.row_source import RowSource

    torch.manual_seed(seed)
    size = data.spec.image_size
    model = checkpoint.backbone(weights=weights, image_size=size).eval()
    texts = data.task == "text-classification"
    device = torch.device("cpu") if cpu_only() else torch.accelerator.current_accelerator()
    model.to(device)
    if not texts:
        model.to(memory_format=torch.channels_last)
    note = f"features of {checkpoint.name}" + (" (random weights)" if weights == "random" else "")

    def pool(batch: dict[str, Any]) -> torch.Tensor:
        inputs = {name: value.to(device) for name, value in batch.items() if name != "labels"}
        with torch.inference_mode(), _explained(checkpoint.name):
            return (_pool_texts if texts else _pool_images)(model, inputs).float().cpu()

    source = RowSource(prepared.splits["train"].select(rows), prepared.collate)
    try:
        pooled = kept_rows(model, source, pool, note)
    except (CacheSpaceError, NotCacheable, RecordError) as error:
        logger.warning("%s are not kept: %s", note, error)
        pooled = _straight(source, pool, note)
    return pooled.mean(1).numpy(), model.num_parameters()


def _straight(source: RowSource, pool: Pool, note: str) -> torch.Tensor:
    """Compute the features of all rows without a cache."""
    import torch

    starts = range(0, source.rows, _BATCH)
    batches = [range(start, min(start + _BATCH, source.rows)) for start in starts]
    return torch.cat([pool(source.batch(batch)) for batch in track(batches, note)])


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what a network raises for these inputs into one clear error."""
    try:
        yield
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            arrived=f"{name} gives no features of these rows: {' '.join(str(error).split())[:240]}",
            expected="a network that reads one text or image and gives back its hidden states",
            action="choose another checkpoint",
        ) from error


def _pool_texts(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return [rows, layers, width]."""
    import torch

    states = torch.stack(model(**inputs, output_hidden_states=True).hidden_states, 1)
    mask = inputs["attention_mask"][:, None, :, None].to(states.dtype)
    return (states * mask).sum(2) / mask.sum(2)


def _pool_images(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return [rows, 1, width]."""
    outputs = model(**inputs)
    if model.config.model_type == "timm_wrapper":
        return outputs.pooler_output[:, None]  # type: ignore[no-any-return]
    states = outputs.last_hidden_state
    positions = (2, 3) if states.ndim == 4 else (1,)
    return states.mean(positions)[:, None]  # type: ignore[no-any-return]
