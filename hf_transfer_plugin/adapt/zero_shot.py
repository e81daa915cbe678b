"""Classes from their texts alone: label texts against sentences, premises or images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hf_transfer_plugin.adapt.few_shot.heads import LinearHead, unit_rows
from hf_transfer_plugin.errors import CheckpointError, ConfigError, did_you_mean
from hf_transfer_plugin.terminal import track

__all__ = [
    "entailment_scores",
    "even_prior",
    "image_text_scores",
    "label_head",
    "label_texts",
]

Floats = NDArray[np.float32]
_BATCH = 32
_SURE = 1e-6


def label_texts(
    classes: Sequence[str], texts: Mapping[str, str], templates: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Return the texts of each class, one for each template.

    Args:
        classes: names, in label order.
        texts: class name -> what stands for it; without one, the name with spaces for `_`.
        templates: each holds {} once.

    Raises:
        ConfigError: for a text of a class that does not exist.

    Example:
        >>> label_texts(["joy", "not_sad"], {"joy": "happiness"}, ["I feel {}."])
        (('I feel happiness.',), ('I feel not sad.',))
    """
    for name in texts:
        if name not in classes:
            raise ConfigError(
                arrived=f"labels: {name!r} is no class{did_you_mean(name, classes)}",
                expected="one of " + ", ".join(classes),
                action="correct or remove it",
            )
    words = [texts.get(name, " ".join(name.replace("_", " ").split())) for name in classes]
    return tuple(tuple(template.replace("{}", word) for template in templates) for word in words)


def label_head(
    texts: Sequence[Sequence[str]], vectors_of: Callable[[list[str]], Floats]
) -> LinearHead:
    """Return the head whose scores are cosines with the mean vector of each class's texts.

    Averaging over templates is that of CLIP (Radford et al. 2021, "prompt ensembling").

    Args:
        texts: [classes] lists of texts, as many for each class.
        vectors_of: texts -> [texts, width].
    """
    each = unit_rows(vectors_of([text for group in texts for text in group]))
    means = each.reshape(len(texts), -1, each.shape[1]).mean(1)
    return LinearHead(unit_rows(means), np.zeros(len(texts), np.float32))


def even_prior(scores: Floats, unlabelled: Floats) -> Floats:
    """Return scores less the mean that each class has over unlabelled rows.

    A label text may be near to everything, or to nothing. Of use where classes are about equally
    frequent; otherwise it takes away from a frequent class what is its due.

    Args:
        scores: [examples, classes].
        unlabelled: [rows, classes], scores of rows whose labels nobody read.
    """
    found: Floats = scores - unlabelled.mean(0)
    return found


def entailment_scores(
    model: Any, tokenizer: Any, texts: Sequence[str], labels: Sequence[Sequence[str]]
) -> Floats:
    """Return [texts, classes]: how surely each text entails the hypotheses of each class.

    Every text meets every hypothesis, so the cost grows with the classes; log odds are averaged
    over the templates (Yin et al., "Benchmarking Zero-shot Text Classification", 2019). The
    network runs in the zero-shot-classification pipeline of transformers.

    Args:
        model: a classifier that was trained on natural language inference.
        tokenizer: of the same checkpoint.
        texts: premises.
        labels: [classes] lists of hypotheses, as many for each class.

    Raises:
        CheckpointError: for a classifier without a label for entailment.
    """
    from transformers import pipeline

    judge: Any = pipeline(
        "zero-shot-classification", model=model, tokenizer=tokenizer, device=model.device
    )
    if judge.entailment_id == -1:
        raise CheckpointError(
            arrived=f"a classifier with the labels {', '.join(model.config.label2id)}",
            expected="one that starts with 'entail': a checkpoint of natural language inference",
            action="choose one, such as facebook/bart-large-mnli",
        )
    hypotheses = list(dict.fromkeys(text for group in labels for text in group))
    found = np.empty((len(texts), len(labels)), np.float32)
    for row, text in enumerate(track(texts, "entailment")):
        # Each hypothesis on its own, against contradiction.
        answer = judge(
            text, hypotheses, hypothesis_template="{}", multi_label=True, batch_size=_BATCH
        )
        chances = dict(zip(answer["labels"], answer["scores"], strict=True))
        found[row] = [np.mean([_log_odds(chances[each]) for each in group]) for group in labels]
    return found


def _log_odds(chance: float) -> float:
    inside = min(max(chance, _SURE), 1 - _SURE)
    return float(np.log(inside / (1 - inside)))


def image_text_scores(
    model: Any, processor: Any, images: Sequence[Any], labels: Sequence[Sequence[str]]
) -> Floats:
    """Return [images, classes]: cosines of images with the mean vector of each class's texts.

    Args:
        model: of transformers, with `get_image_features` and `get_text_features`: CLIP (Radford
            et al. 2021), SigLIP (Zhai et al. 2023) and their like.
        processor: of the same checkpoint.
        images: pictures.
        labels: [classes] lists of texts, as many for each class.
    """
    device = model.device

    def text_vectors(texts: list[str]) -> Floats:
        # SigLIP has learned from texts padded to their full length, CLIP masks the padding.
        padding = "max_length" if "siglip" in model.config.model_type else True
        inputs = processor(text=texts, padding=padding, truncation=True, return_tensors="pt")
        return _features(model.get_text_features(**inputs.to(device)))

    def image_vectors(numbers: range) -> Floats:
        pictures = [images[number].convert("RGB") for number in numbers]
        inputs = processor(images=pictures, return_tensors="pt").to(device)
        return _features(model.get_image_features(**inputs))

    with torch.inference_mode():
        head = label_head(labels, text_vectors)
        starts = range(0, len(images), _BATCH)
        batches = [range(start, min(start + _BATCH, len(images))) for start in starts]
        rows = [unit_rows(image_vectors(each)) for each in track(batches, "images")]
    return head.scores(np.concatenate(rows))


def _features(found: Any) -> Floats:
    # Since transformers 5 an output with names, before that the tensor itself.
    vectors = found if torch.is_tensor(found) else found.pooler_output
    return vectors.float().cpu().numpy()
