"""Tiny random checkpoints that read pairs of texts, or texts and images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
)

from tests.hub_models import save_text_model

__all__ = ["clip_checkpoint", "entailment_checkpoint"]

_TEXT = {"vocab_size": 7, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_TEXT |= {"intermediate_size": 16, "max_position_embeddings": 16, "initializer_range": 1.0}
_IMAGE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32}
_IMAGE |= {"intermediate_size": 16, "patch_size": 16, "initializer_range": 1.0}


def entailment_checkpoint(folder: Path) -> tuple[Any, Any]:
    """Save a random BERT with the three labels of natural language inference; return it too."""
    save_text_model(folder)
    torch.manual_seed(1)
    names = ("contradiction", "neutral", "entailment")
    config = BertConfig(**_TEXT, id2label=dict(enumerate(names)),
                        label2id={name: i for i, name in enumerate(names)})  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    return model, AutoTokenizer.from_pretrained(folder)


def clip_checkpoint(folder: Path, kind: str) -> Callable[[Path, Any], list[int]]:
    """Save a random CLIP or SigLIP; return what names the test pictures through its forward pass.

    The function takes the folder of pictures and a result, and goes through `logits_per_image`.
    """
    save_text_model(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(2)
    text = {**_TEXT, "eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
    size = {"height": 32, "width": 32}
    model: Any
    processor: Any
    if kind == "clip":
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=_IMAGE, projection_dim=8))
        images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
        processor = CLIPProcessor(images, tokenizer)
    else:
        text["projection_size"] = 16
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=_IMAGE))
        processor = SiglipProcessor(SiglipImageProcessor(size=size), tokenizer)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)

    def named(pictures: Path, result: Any) -> list[int]:
        from hf_transfer_plugin import DataSpec, load_data

        spec = DataSpec(str(pictures), validation_fraction=0.2, test_fraction=0.4)
        test = load_data(spec, "image-classification").splits["test"]
        inputs = processor(
            text=[group[0] for group in result.label_texts],
            images=[image.convert("RGB") for image in test["image"]],
            padding=True if kind == "clip" else "max_length",
            return_tensors="pt",
        )
        with torch.no_grad():
            found: list[int] = model(**inputs).logits_per_image.argmax(1).tolist()
        return found

    return named
