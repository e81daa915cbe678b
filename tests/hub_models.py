"""Tiny random models as `save_pretrained` writes them, and a report to publish with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hf_transfer_plugin.records import (
    CurvePoint,
    DataSpec,
    DataSummary,
    Plan,
    Ranking,
    Report,
    RunResult,
    SeedResult,
    Task,
    Verdict,
)

__all__ = ["SENTENCES", "make_report", "sample_image", "save_image_model", "save_text_model"]

SENTENCES = ["good film", "bad film film", "unknown words here"]
_NAMES = {0: "bad", 1: "good"}


def save_text_model(folder: Path, **save: Any) -> list[list[float]]:
    """Save a random BERT classifier with a tokenizer; return its logits for SENTENCES."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film"]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
        initializer_range=1.0,
        id2label=_NAMES,
        label2id={name: i for i, name in _NAMES.items()},
    )
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(folder, **save)
    tokenizer.save_pretrained(folder)
    with torch.no_grad():
        batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
        return model(**batch).logits.tolist()  # type: ignore[no-any-return]


def sample_image() -> Any:
    """Return a small picture that is always the same."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def save_image_model(folder: Path) -> list[list[float]]:
    """Save a random ResNet with its image processor; return its logits for `sample_image`."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        id2label={0: "cat", 1: "dog"},
        label2id={"cat": 0, "dog": 1},
    )
    model = ResNetForImageClassification(config).eval()
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    with torch.no_grad():
        return model(**processor(sample_image(), return_tensors="pt")).logits.tolist()  # type: ignore[no-any-return]


def make_report(task: Task = "text-classification", title: str = "Tiny transfer") -> Report:
    """Return a small but whole report: two seeds, one control."""
    names = ("bad", "good") if task == "text-classification" else ("cat", "dog")

    def result(name: str, weights: Any, correct: int) -> RunResult:
        labels = (0, 1) * 10
        predictions = tuple(y if i < correct else 1 - y for i, y in enumerate(labels))
        curve = (
            CurvePoint(5, 1.0, 0.7, 0.69, 0.5),
            CurvePoint(10, 2.0, 0.4, 0.5, correct / 20),
        )
        score = {"accuracy": correct / 20}
        seeds = tuple(
            SeedResult(seed, 1e-3, 10, score, score, curve, predictions, (0.9,) * 20, 1.5)
            for seed in (0, 1)
        )
        plan = Plan(name, task, "org/tiny", DataSpec("org/data"), weights=weights, seeds=(0, 1))
        return RunResult(plan, names, labels, seeds, 1_000, 2_000)

    return Report(
        title=title,
        task=task,
        data=DataSummary("org/data", "f" * 16, names, {"train": (30, 30), "test": (10, 10)}),
        ranking=Ranking(task, "org/data", "logme", 60, ()),
        explanation="phase 1: everything trains",
        results=(result("transfer", "pretrained", 18), result("from-scratch", "random", 12)),
        verdict=Verdict("helped", True, 0.3, 0.1, 0.5, 0.01, 0.95, 2, "from-scratch"),
        environment={"python": "3.11"},
        command="hf-tl run plan.yaml",
        created="2025-01-01T00:00:00+00:00",
        licenses={"checkpoint": "apache-2.0"},
    )
