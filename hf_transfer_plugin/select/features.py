"""Pooled features of a checkpoint, in one forward pass over the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.errors import CheckpointError
from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["pooled_features"]

_BATCH = 32


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
    feature map (the network's own pooling for timm).

    Args:
        checkpoint: what to run.
        data: checked data.
        prepared: its train split, in the form the checkpoint reads.
        rows: row numbers of train.
        weights: "random" draws them with `seed`.
        seed: seed of random weights.
    """
    import numpy as np
    import torch

    torch.manual_seed(seed)
    size = data.spec.image_size
    model = checkpoint.backbone(weights=weights, image_size=size).eval()
    train = prepared.splits["train"]
    # Sorted by length, batches hold little padding.
    texts = data.task == "text-classification"
    order = sorted(rows, key=lambda row: len(train[row]["input_ids"])) if texts else list(rows)
    batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
    device = torch.device("cpu") if cpu_only() else torch.accelerator.current_accelerator()
    model.to(device)
    if not texts:
        model.to(memory_format=torch.channels_last)
    found: dict[int, np.ndarray] = {}
    note = f"features of {checkpoint.name}" + (" (random weights)" if weights == "random" else "")
    with torch.inference_mode():
        for batch in track(batches, note):
            inputs = dict(prepared.collate([train[row] for row in batch]))
            inputs.pop("labels")
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            with _explained(checkpoint.name):
                pooled = _pool_texts(model, inputs) if texts else _pool_images(model, inputs)
            found.update(zip(batch, pooled.float().cpu().numpy(), strict=True))
    return np.stack([found[row] for row in rows]), model.num_parameters()


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
    import torch

    states = torch.stack(model(**inputs, output_hidden_states=True).hidden_states).mean(0)
    mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1)


def _pool_images(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    outputs = model(**inputs)
    if model.config.model_type == "timm_wrapper":
        return outputs.pooler_output  # type: ignore[no-any-return]
    states = outputs.last_hidden_state
    positions = (2, 3) if states.ndim == 4 else (1,)
    return states.mean(positions)  # type: ignore[no-any-return]
