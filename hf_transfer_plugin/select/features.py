"""Pooled features of a checkpoint at every layer, in one forward pass over the rows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import Prepared, TargetData
from hf_transfer_plugin.errors import CacheSpaceError, CheckpointError, RecordError
from hf_transfer_plugin.processes import cpu_only
from hf_transfer_plugin.records import Task
from hf_transfer_plugin.select.layer_reading import LayerReader
from hf_transfer_plugin.terminal import track

if TYPE_CHECKING:
    import numpy as np
    import torch

    from hf_transfer_plugin.prefix.row_source import RowSource

__all__ = ["LayerFeatures", "layer_features"]

_BATCH = 32
_MEAN = ""  # no layer group has an empty name
logger = logging.getLogger(__name__)
Pool = Callable[[Sequence[int]], dict[str, "torch.Tensor"]]


@dataclass(frozen=True)
class LayerFeatures:
    """Pooled features of some rows at every layer of a checkpoint.

    Attributes:
        layers: layer group (as `layer_groups` names it) -> [examples, width], input to head; the
            widths may differ. Groups whose output holds no rows are left out, and so is what the
            classifier of the task lacks (the pooler of RoBERTa).
        mean: one table of the network, [examples, width]: of texts the mean over all hidden
            states, of images the last feature map.
        parameters: number of weights.
        seconds: wall time of the call that made or read them.
        groups: all layer groups of the network, input to head.
    """

    layers: Mapping[str, np.ndarray]
    mean: np.ndarray
    parameters: int
    seconds: float
    groups: tuple[str, ...] = ()

    def scored(self, task: Task) -> Mapping[str, np.ndarray]:
        """Return the tables whose scores a ranking averages: all layers count alike.

        Hidden states of texts have one width, so their mean over layers is one table. The layers
        of an image network have not; each is scored on its own.
        """
        return {_MEAN: self.mean} if task == "text-classification" else self.layers


def layer_features(
    checkpoint: Checkpoint,
    data: TargetData,
    prepared: Prepared,
    rows: Sequence[int] | None = None,
    *,
    role: str = "train",
    weights: Literal["pretrained", "random"] = "pretrained",
    seed: int = 0,
) -> LayerFeatures:
    """Return features of rows of a split, at every layer and as one table for rankings.

    The output of a layer becomes one vector an example: of texts the mean over tokens, of images
    the mean over positions. The features are kept in the cache of frozen layers (`hf-tl cache`)
    and not computed again for the same weights and rows.

    Args:
        checkpoint: what to run.
        data: checked data.
        prepared: the split, in the form the checkpoint reads.
        rows: row numbers of the split; None: all.
        role: of the split.
        weights: "random" draws them with `seed`.
        seed: seed of random weights.

    Raises:
        CheckpointError: when the network gives no features of these rows.
    """
    import torch

    from hf_transfer_plugin.prefix.determinism import NotCacheable
    from hf_transfer_plugin.prefix.pooled_rows import kept_rows
    from hf_transfer_plugin.prefix.row_source import RowSource

    start = time.perf_counter()
    torch.manual_seed(seed)
    model = checkpoint.backbone(weights=weights, image_size=data.spec.image_size).eval()
    texts = data.task == "text-classification"
    device = torch.device("cpu") if cpu_only() else torch.accelerator.current_accelerator()
    model.to(device)
    if not texts:
        model.to(memory_format=torch.channels_last)
    note = f"features of {checkpoint.name}" + (" (random weights)" if weights == "random" else "")
    reader = LayerReader(model, _used_by_classifier(checkpoint, data))
    names = _names_in_classifier(reader.groups)
    split = prepared.splits[role]
    read = split.select(range(len(split)) if rows is None else rows)
    source = RowSource(read, prepared.collate)

    def pool(numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        # A row alone is read twice: one row cannot be told from a table that all rows share.
        batch = source.batch([*numbers, *numbers] if len(numbers) == 1 else numbers)
        inputs = {name: value.to(device) for name, value in batch.items() if name != "labels"}
        mask = inputs["attention_mask"] if texts and "attention_mask" in inputs else None
        count = max(2, len(numbers))
        with torch.inference_mode(), _explained(checkpoint.name):
            with reader.reading(count, mask) as layers:
                mean = (_mean_of_texts if texts else _last_of_images)(model, inputs)
            found = {_MEAN: mean.float().cpu()}
            found |= {names[group]: layers[group] for group in reader.groups if group in layers}
        return {name: value[: len(numbers)] for name, value in found.items()}

    try:
        found = kept_rows(model, source, pool, note)
    except (CacheSpaceError, NotCacheable, RecordError) as error:
        logger.warning("%s are not kept: %s", note, error)
        found = _straight(source, pool, note)
    arrays = {name: value.numpy() for name, value in found.items()}
    mean = arrays.pop(_MEAN)
    seconds = time.perf_counter() - start
    return LayerFeatures(arrays, mean, model.num_parameters(), seconds, tuple(names.values()))


def _straight(source: RowSource, pool: Pool, note: str) -> dict[str, torch.Tensor]:
    """Compute the features of all rows without a cache; layers that come and go are left out."""
    import torch

    starts = range(0, source.rows, _BATCH)
    batches = [range(start, min(start + _BATCH, source.rows)) for start in starts]
    found = [pool(batch) for batch in track(batches, note)]
    widths = [{(name, value.shape[1:]) for name, value in each.items()} for each in found]
    kept = {name for name, _ in set.intersection(*widths)}
    return {name: torch.cat([each[name] for each in found]) for name in found[0] if name in kept}


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


def _mean_of_texts(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return [rows, width]: the mean over tokens, then over all hidden states."""
    import torch

    states = torch.stack(model(**inputs, output_hidden_states=True).hidden_states, 1)
    mask = inputs["attention_mask"][:, None, :, None].to(states.dtype)
    # A tokenizer without special tokens makes nothing of an empty text.
    return ((states * mask).sum(2) / mask.sum(2).clamp(min=1)).float().mean(1)


def _last_of_images(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return [rows, width]: timm's own pooling, else the mean over positions."""
    outputs = model(**inputs)
    if model.config.model_type == "timm_wrapper":
        return outputs.pooler_output  # type: ignore[no-any-return]
    states = outputs.last_hidden_state
    return states.mean((2, 3) if states.ndim == 4 else (1,))  # type: ignore[no-any-return]


def _names_in_classifier(groups: Sequence[str]) -> dict[str, str]:
    """Return what each group of a network without a head is called once it has one.

    What ends such a network may pass for its head (the last norm of DINOv2).
    """
    last = "neck" if "neck" not in groups else "head"
    return {group: last if group == "head" else group for group in groups}


def _used_by_classifier(checkpoint: Checkpoint, data: TargetData) -> Callable[[str], bool]:
    """Tell which parameters of the backbone the classifier of the task has too.

    A backbone alone may come with a pooler that is in no weight file, so drawn at random.
    """
    import torch
    import transformers

    if data.task == "text-classification":
        auto: Any = transformers.AutoModelForSequenceClassification
    else:
        auto = transformers.AutoModelForImageClassification
    try:
        with torch.device("meta"):
            classifier = auto.from_config(
                checkpoint.config(data.class_names, data.spec.image_size), trust_remote_code=False
            )
    except (AttributeError, ImportError, RuntimeError, TypeError, ValueError):
        # No classifier of this kind, or one that comes with its own code.
        return lambda _: True
    words = [name.split(".") for name, _ in classifier.named_parameters(remove_duplicate=False)]
    endings = {".".join(each[start:]) for each in words for start in range(len(each))}
    return endings.__contains__
