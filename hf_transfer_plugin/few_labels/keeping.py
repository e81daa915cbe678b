"""A model that learned from few labels, in a folder that plain transformers loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from hf_transfer_plugin.adapt.few_shot.encoders import ImageEncoder
from hf_transfer_plugin.adapt.few_shot.heads import LinearHead
from hf_transfer_plugin.checkpoints import without_bars
from hf_transfer_plugin.few_labels.learner import Learner
from hf_transfer_plugin.few_shot_records import FewShotResult
from hf_transfer_plugin.kept_models import keep_model

__all__ = ["keep"]


def keep(learner: Learner, result: FewShotResult, card: Mapping[str, bytes], folder: Path) -> None:
    """Fit the chosen method on draw 0 of the most shots, and write it.

    Of images it is a classifier whose last layer is the head. Of texts it is the encoder, the head
    as classifier.safetensors, and a card with the lines that put them together: no class of
    transformers pools the mean over tokens for a classifier of every architecture.

    Args:
        learner: fits once more.
        result: says which method.
        card: relative path -> content of what goes beside the weights.
        folder: is replaced.

    Raises:
        RecordError: when it cannot be written.
    """
    learner.reset()
    head = learner.fit(result.kept, learner.draw(max(result.shots), 0), 0).head
    network = learner.encoder.network
    images = isinstance(learner.encoder, ImageEncoder)
    processor = learner.prepared.processor
    weights = _tensors(head)
    if isinstance(learner.encoder, ImageEncoder):
        learner.encoder.head.load_state_dict(weights)
        network.to(memory_format=torch.contiguous_format)
    else:
        names = result.class_names
        network.config.id2label = dict(enumerate(names))
        network.config.label2id = {name: index for index, name in enumerate(names)}
        limit = learner.data.spec.max_length
        processor.model_max_length = min(limit, processor.model_max_length)

    def write(fresh: Path) -> None:
        with without_bars():
            network.save_pretrained(fresh)
        processor.save_pretrained(fresh)
        if not images:
            save_file(weights, fresh / "classifier.safetensors")
        for name, content in card.items():
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_bytes(content)

    keep_model(write, folder)


def _tensors(head: LinearHead) -> dict[str, torch.Tensor]:
    found = {"weight": head.weight, "bias": head.bias}
    return {name: torch.from_numpy(array).contiguous() for name, array in found.items()}
