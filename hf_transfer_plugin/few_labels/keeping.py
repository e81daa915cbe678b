"""A model that learned from few labels, in a folder that plain transformers loads."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from hf_transfer_plugin.adapt.few_shot.encoders import ImageEncoder
from hf_transfer_plugin.adapt.few_shot.heads import LinearHead
from hf_transfer_plugin.checkpoints import without_bars
from hf_transfer_plugin.few_labels.learner import Learner
from hf_transfer_plugin.few_shot_records import FewShotResult
from hf_transfer_plugin.kept_models import keep_model
from hf_transfer_plugin.report.markdown import escape
from hf_transfer_plugin.report.names import display_name

__all__ = ["keep"]

_TEXT_USE = """\
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

folder = "model"  # where this file lies
tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
head = load_file(f"{folder}/classifier.safetensors")
inputs = tokenizer(["a text"], padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    states, mask = encoder(**inputs).last_hidden_state, inputs["attention_mask"][:, :, None]
vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1).clamp(min=1))
scores = vectors @ head["weight"].T + head["bias"]
labels = [encoder.config.id2label[index] for index in scores.argmax(1).tolist()]
"""
_IMAGE_USE = """\
from transformers import pipeline

classify = pipeline("image-classification", model="model")  # where this file lies
labels = [answer["label"] for answer in classify("picture.png")]
"""


def keep(learner: Learner, result: FewShotResult, folder: Path) -> None:
    """Fit the chosen method on draw 0 of the most shots, and write it.

    Of images it is a classifier whose last layer is the head. Of texts it is the encoder, the head
    as classifier.safetensors, and a README with the lines that put them together: no class of
    transformers pools the mean over tokens for a classifier of every architecture.

    Args:
        learner: fits once more.
        result: says which method, and goes into the README.
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
        (fresh / "README.md").write_text(_readme(result, images), encoding="utf-8")

    keep_model(write, folder)


def _tensors(head: LinearHead) -> dict[str, torch.Tensor]:
    found = {"weight": head.weight, "bias": head.bias}
    return {name: torch.from_numpy(array).contiguous() for name, array in found.items()}


def _readme(result: FewShotResult, images: bool) -> str:
    shots = max(result.shots)
    mean, spread = result.spread(result.kept, shots)
    lines = [
        f"# {result.kept.capitalize()} on {shots} labels a class",
        "",
        f"{escape(display_name(result.checkpoint))}, {len(result.class_names)} classes, "
        f"{shots * len(result.class_names)} labelled examples. Test "
        f"{result.metric.replace('_', ' ')} {mean:.3f} ± {spread:.3f} over {result.draws} draws of "
        f"{len(result.labels):,} examples; this is draw 0.",
        "",
        "```python",
        (_IMAGE_USE if images else _TEXT_USE).rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"
