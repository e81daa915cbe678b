"""Zero labels: classes named from their texts, and what that is worth on the test split."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_transfer_plugin.adapt.few_shot.encoders import TextEncoder, best_device, embed
from hf_transfer_plugin.adapt.few_shot.heads import unit_rows
from hf_transfer_plugin.adapt.zero_shot import (
    entailment_scores,
    even_prior,
    image_text_scores,
    label_head,
    label_texts,
)
from hf_transfer_plugin.checkpoints import Checkpoint
from hf_transfer_plugin.data import TargetData, load_data
from hf_transfer_plugin.errors import CheckpointError, ConfigError
from hf_transfer_plugin.few_labels.configs import ZeroShotConfig, check_zero_shot
from hf_transfer_plugin.few_shot_records import ZeroShotResult
from hf_transfer_plugin.metrics import classification_metrics

__all__ = ["zero_shot"]

Floats = NDArray[np.float32]
Score = Callable[[str, Sequence[int]], Floats]
Texts = tuple[tuple[str, ...], ...]


def zero_shot(config: ZeroShotConfig) -> ZeroShotResult:
    """Name the class of each test example from label texts alone; writes zero_shot.json.

    Args:
        config: what to ask.

    Raises:
        TransferError: for data, checkpoints and values that do not fit.
    """
    check_zero_shot(config)
    data = load_data(config.data, config.task)
    texts = label_texts(data.class_names, config.labels, config.templates)
    checkpoint = Checkpoint(
        config.checkpoint, revision=config.revision, trust_remote_code=config.trust_remote_code
    )
    start = time.perf_counter()
    score = _SCORES[config.method](config, checkpoint, data, texts)
    labels = data.labels("test")
    scores = score("test", range(len(labels)))
    if config.even_prior:
        count = len(data.splits["train"])
        drawn = np.random.default_rng(0).permutation(count)[: config.even_prior]
        scores = even_prior(scores, score("train", drawn.tolist()))
    predictions = scores.argmax(1)
    result = ZeroShotResult(
        task=config.task,
        checkpoint=config.checkpoint,
        method=config.method,
        data=data.summary.fingerprint,
        class_names=data.class_names,
        label_texts=texts,
        even_prior=config.even_prior > 0,
        labels=labels,
        predictions=tuple(predictions.tolist()),
        test=classification_metrics(labels, predictions),
        majority=max(data.summary.counts["test"]) / len(labels),
        seconds=time.perf_counter() - start,
    )
    result.save(Path(config.run_folder).expanduser() / result.file_name)
    return result


def _embeddings(
    config: ZeroShotConfig, checkpoint: Checkpoint, data: TargetData, texts: Texts
) -> Score:
    from transformers import DataCollatorWithPadding

    encoder = TextEncoder(checkpoint.backbone()).to(best_device())
    tokenizer = checkpoint.tokenizer()
    limit = min(config.data.max_length, tokenizer.model_max_length)
    collate = DataCollatorWithPadding(tokenizer)

    def vectors(columns: Sequence[list[str]]) -> Floats:
        encoded = tokenizer(*columns, truncation=True, max_length=limit)
        rows = [{key: encoded[key][row] for key in encoded} for row in range(len(columns[0]))]
        return unit_rows(embed(encoder, rows, collate))

    head = label_head(texts, lambda group: vectors([group]))

    def score(role: str, rows: Sequence[int]) -> Floats:
        chosen = data.splits[role].select(rows)
        return head.scores(vectors([list(chosen[name]) for name in data.inputs]))

    return score


def _entailment(
    config: ZeroShotConfig, checkpoint: Checkpoint, data: TargetData, texts: Texts
) -> Score:
    if len(data.inputs) > 1:
        raise ConfigError(
            arrived=f"texts in the columns {', '.join(data.inputs)}",
            expected="one text: the network reads it with a hypothesis as its pair",
            action="leave data.text_pair out, or take the method embeddings",
        )
    names = list((checkpoint.config().id2label or {}).values())
    model: Any = checkpoint.classifier(config.task, names).eval()
    model.to(best_device())
    tokenizer = checkpoint.tokenizer()

    def score(role: str, rows: Sequence[int]) -> Floats:
        premises = list(data.splits[role].select(rows)[data.inputs[0]])
        return entailment_scores(model, tokenizer, premises, texts)

    return score


def _image_text(
    config: ZeroShotConfig, checkpoint: Checkpoint, data: TargetData, texts: Texts
) -> Score:
    from transformers import AutoProcessor

    model: Any = checkpoint.backbone().eval()
    model.to(best_device())
    if not callable(getattr(model, "get_text_features", None)):
        raise CheckpointError(
            arrived=f"{checkpoint.name} is a {type(model).__name__}, which reads no texts",
            expected="a checkpoint that was trained on images with their texts",
            action="choose one of CLIP or SigLIP, such as openai/clip-vit-base-patch32",
        )
    options = {"revision": config.revision} if config.revision else {}
    processor = AutoProcessor.from_pretrained(checkpoint.path, **options)

    def score(role: str, rows: Sequence[int]) -> Floats:
        pictures = data.splits[role].select(rows)[data.inputs[0]]
        return image_text_scores(model, processor, pictures, texts)

    return score


_SCORES: dict[str, Callable[[ZeroShotConfig, Checkpoint, TargetData, Texts], Score]] = {
    "embeddings": _embeddings,
    "entailment": _entailment,
    "image-text": _image_text,
}
